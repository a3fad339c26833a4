"""A WebSocket client for one message: sends it, prints what comes back. Python's standard library only.

    python3 examples/demo/websocket.py ws://127.0.0.1:8000/ws "hello"
"""

import base64
import os
import socket
import sys
import urllib.parse


def main():
    url = urllib.parse.urlsplit(sys.argv[1])
    message = sys.argv[2].encode()[:125]
    connection = socket.create_connection((url.hostname, url.port or 80), timeout=10)
    key = base64.b64encode(os.urandom(16)).decode()
    connection.sendall((f"GET {url.path or '/'} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
    stream = connection.makefile("rb")
    status = stream.readline().decode().strip()
    if " 101 " not in status + " ":
        sys.exit(f"no WebSocket here: {status}")
    while stream.readline().strip():
        pass
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(message))
    connection.sendall(bytes([0x81, 0x80 | len(message)]) + mask + masked)
    _, size = stream.read(2)
    print(stream.read(size & 0x7F).decode())
    connection.sendall(bytes([0x88, 0x80]) + mask)


if __name__ == "__main__":
    main()
