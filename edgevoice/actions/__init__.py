"""What happens when an intent is announced: programs, webhooks and notifications."""
