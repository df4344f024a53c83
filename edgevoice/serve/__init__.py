"""Events and captions for other programs: WebSocket, Server-Sent Events and a page, over HTTP."""
