"""The pieces of the screen: each shows one value and redraws only when that value changes."""
