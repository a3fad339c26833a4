"""A small JSON REST service, the thing behind the gateway in the demo. Python's standard library only.

    python3 examples/demo/service.py users --port 9001 [--address 127.0.0.1]

GET  /            and /<kind>               all items          POST the same: adds one, 201
GET  /<number>    and /<kind>/<number>      one item, or 404   (/v2 may stand before each)
POST /fail, /mend                           from now on every answer is a 500; or as usual again
any  /echo...                               what was received, as JSON
GET  /slow?seconds=2                        waits, then answers
POST /upload                                counts the bytes it receives, keeps none
GET  /download?bytes=N                      N bytes, streamed
GET  /ws                                    WebSocket: every message comes back
"""

import argparse
import asyncio
import base64
import hashlib
import json
import signal
import urllib.parse

ITEMS = {
    "users": [{"id": 1, "name": "Ada"}, {"id": 2, "name": "Grace"}],
    "orders": [{"id": 1, "user": 1, "pet": 2, "state": "paid"}, {"id": 2, "user": 2, "pet": 1, "state": "open"}],
    "pets": [{"id": 1, "name": "Rex", "kind": "dog"}, {"id": 2, "name": "Tom", "kind": "cat"}],
}
REASONS = {101: "Switching Protocols", 200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found",
           405: "Method Not Allowed", 413: "Payload Too Large", 500: "Internal Server Error"}
PIECE = 64 * 1024
LONGEST_BODY = 1 << 20  # of a body that is kept; uploads are not
WEBSOCKET_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
LONGEST_MESSAGE = 16 << 20


class Broken(Exception):
    """The peer does not speak HTTP, or more than we take."""


class Request:
    def __init__(self, method, target, version, headers, reader, writer):
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers  # names in lower case; repeated ones joined
        self.reader = reader
        self.writer = writer
        parts = urllib.parse.urlsplit(target)
        self.path = urllib.parse.unquote(parts.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))

    async def pieces(self):
        """The body, piece by piece: by length or in chunks."""
        if "100-continue" in self.headers.get("expect", "").lower():
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            while True:
                size = int((await self.reader.readline()).split(b";")[0], 16)
                if size == 0:
                    while (await self.reader.readline()).strip():
                        pass
                    return
                async for piece in self.exactly(size):
                    yield piece
                await self.reader.readexactly(2)
        else:
            async for piece in self.exactly(int(self.headers.get("content-length", 0))):
                yield piece

    async def exactly(self, size):
        while size > 0:
            piece = await self.reader.read(min(size, PIECE))
            if not piece:
                raise Broken("body ended early")
            size -= len(piece)
            yield piece

    async def body(self):
        out = b""
        async for piece in self.pieces():
            out += piece
            if len(out) > LONGEST_BODY:
                raise Broken("body too large")
        return out


async def read_request(reader, writer):
    line = (await reader.readline()).decode("latin-1").strip()
    if not line:
        return None
    words = line.split(" ")
    if len(words) != 3:
        raise Broken(line)
    headers = {}
    for _ in range(200):
        line = (await reader.readline()).decode("latin-1").strip()
        if not line:
            return Request(*words, headers, reader, writer)
        name, colon, value = line.partition(":")
        if not colon:
            raise Broken(line)
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    raise Broken("too many header fields")


class Service:
    def __init__(self, kind, port):
        self.kind = kind
        self.port = port
        self.items = [dict(item) for item in ITEMS[kind]]
        self.fails = False

    async def serve(self, reader, writer):
        try:
            while True:
                request = await read_request(reader, writer)
                if request is None or not await self.answer(request):
                    break
        except (Broken, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # nothing sensible can be said to that peer
        finally:
            writer.close()

    async def answer(self, request):
        """True if the connection can be used again."""
        if request.path == "/ws" and request.headers.get("upgrade", "").lower() == "websocket":
            await self.websocket(request)
            return False
        if request.path.startswith("/upload"):
            total = 0
            digest = hashlib.sha256()
            async for piece in request.pieces():
                total += len(piece)
                digest.update(piece)
            return await self.send(request, 200, {"received_bytes": total, "sha256": digest.hexdigest()})
        body = await request.body()
        if request.method == "POST" and request.path in ("/fail", "/mend"):
            self.fails = request.path == "/fail"
            return await self.send(request, 200, {"fails": self.fails})
        if self.fails:
            return await self.send(request, 500, {"error": "out of order"})
        if request.path.startswith("/download"):
            return await self.download(request, int(request.query.get("bytes", 1 << 20)))
        if request.path.startswith("/echo"):
            return await self.send(request, 200, {"method": request.method, "target": request.target,
                                                  "version": request.version, "headers": request.headers,
                                                  "body": body.decode("utf-8", "replace")})
        if request.path.startswith("/slow"):
            seconds = min(float(request.query.get("seconds", 2)), 60)
            await asyncio.sleep(seconds)
            return await self.send(request, 200, {"waited_seconds": seconds})
        return await self.rest(request, body)

    async def rest(self, request, body):
        parts = [part for part in request.path.split("/") if part and part not in ("v2", self.kind, self.kind.rstrip("s"))]
        if len(parts) > 1 or (parts and not parts[0].isdigit()):
            return await self.send(request, 404, {"error": "no such thing", "path": request.path})
        if parts:
            found = [item for item in self.items if item["id"] == int(parts[0])]
            if not found:
                return await self.send(request, 404, {"error": f"no such item in {self.kind}", "id": int(parts[0])})
            return await self.send(request, 200, found[0])
        if request.method == "POST":
            try:
                item = json.loads(body)
                item["id"] = len(self.items) + 1
            except (ValueError, TypeError):
                return await self.send(request, 400, {"error": "expected a JSON object"})
            if len(self.items) < 1000:
                self.items.append(item)
            return await self.send(request, 201, item)
        if request.method not in ("GET", "HEAD"):
            return await self.send(request, 405, {"error": f"{request.method} is not for this"})
        return await self.send(request, 200, self.items)

    async def send(self, request, status, content):
        body = (json.dumps(content) + "\n").encode()
        return await self.stream(request, status, "application/json", len(body), [body])

    async def download(self, request, size):
        piece = bytes(range(256)) * (PIECE // 256)

        def pieces():
            left = size
            while left > 0:
                yield piece[:left]
                left -= len(piece)

        return await self.stream(request, 200, "application/octet-stream", size, pieces())

    async def stream(self, request, status, kind, size, pieces):
        keeps = request.version == "HTTP/1.1" and "close" not in request.headers.get("connection", "").lower()
        head = (f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n"
                f"X-Service: {self.kind}\r\nX-Instance: {self.port}\r\nX-Asked-For: {request.method} {request.target}\r\n" + ("" if keeps else "Connection: close\r\n") + "\r\n")
        # The head goes out with the first piece: a service that is killed has answered whole or not at all.
        unsent = head.encode()
        for piece in pieces if request.method != "HEAD" else ():
            request.writer.write(unsent + piece)
            unsent = b""
            await request.writer.drain()
        request.writer.write(unsent)
        await request.writer.drain()
        return keeps

    async def websocket(self, request):
        """RFC 6455, as much as an echo needs: whole and fragmented messages, ping, close."""
        key = request.headers.get("sec-websocket-key", "") + WEBSOCKET_KEY
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        request.writer.write((f"HTTP/1.1 101 {REASONS[101]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())
        message = b""
        kind = 1
        while True:
            first, second = await request.reader.readexactly(2)
            size = second & 0x7F
            if size == 126:
                size = int.from_bytes(await request.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await request.reader.readexactly(8), "big")
            if not second & 0x80 or len(message) + size > LONGEST_MESSAGE:
                return  # a client must mask (RFC 6455 5.1)
            mask = await request.reader.readexactly(4)
            content = bytes(byte ^ mask[i % 4] for i, byte in enumerate(await request.reader.readexactly(size)))
            opcode = first & 0x0F
            if opcode == 8:
                self.frame(request.writer, 8, content)
                await request.writer.drain()
                return
            if opcode == 9:
                self.frame(request.writer, 10, content)
            elif opcode != 10:
                kind = opcode or kind
                message += content
                if first & 0x80:
                    self.frame(request.writer, kind, message)
                    message = b""
            await request.writer.drain()

    @staticmethod
    def frame(writer, opcode, content):
        size = len(content)
        head = bytes([0x80 | opcode])
        if size < 126:
            head += bytes([size])
        elif size < 65536:
            head += bytes([126]) + size.to_bytes(2, "big")
        else:
            head += bytes([127]) + size.to_bytes(8, "big")
        writer.write(head + content)


async def main():
    parser = argparse.ArgumentParser(description="A small JSON REST service for the demo.")
    parser.add_argument("kind", choices=sorted(ITEMS))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", default="127.0.0.1")
    arguments = parser.parse_args()
    service = Service(arguments.kind, arguments.port)
    server = await asyncio.start_server(service.serve, arguments.address, arguments.port, limit=PIECE, backlog=1024)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with server:
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
