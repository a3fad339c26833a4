"""A small gRPC service and calls to it; messages are plain text, so that nothing needs to be generated.

    python3 examples/demo/grpc_service.py --port 9005                    serves
    python3 examples/demo/grpc_service.py --call 127.0.0.1:8000 Hello Ada

Hello NAME     one answer             Count N        N answers, one after the other
Join A B C     one answer to many     Chat A B C     an answer to each, while the call goes on
"""

import argparse
import signal
import sys
from concurrent import futures

try:
    import grpc
except ImportError:  # Debian's python3-grpcio, for a Python that is not Debian's
    sys.path.append("/usr/lib/python3/dist-packages")
    import grpc

SERVICE = "shop.Greeter"
MOST = 1000


def hello(name, context):
    return f"Hello {name}"


def count(text, context):
    if not text.isdigit() or int(text) > MOST:
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"a number up to {MOST}")
    for i in range(1, int(text) + 1):
        yield str(i)


def join(names, context):
    return " and ".join(names)


def chat(names, context):
    for name in names:
        yield f"Hello {name}"


def encoded(text):
    return text.encode()


def decoded(data):
    return data.decode(errors="replace")


def serve(address, port):
    kinds = {"Hello": (grpc.unary_unary_rpc_method_handler, hello), "Count": (grpc.unary_stream_rpc_method_handler, count),
             "Join": (grpc.stream_unary_rpc_method_handler, join), "Chat": (grpc.stream_stream_rpc_method_handler, chat)}
    methods = {name: make(function, request_deserializer=decoded, response_serializer=encoded)
               for name, (make, function) in kinds.items()}
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_insecure_port(f"{address}:{port}")
    server.start()
    signal.signal(signal.SIGTERM, lambda *_: server.stop(0))
    server.wait_for_termination()


def call(address, method, words):
    with grpc.insecure_channel(address) as channel:
        path = method if method.startswith("/") else f"/{SERVICE}/{method}"
        form = {"request_serializer": encoded, "response_deserializer": decoded}
        try:
            if method == "Join":
                print(channel.stream_unary(path, **form)(iter(words), timeout=10))
            elif method == "Chat":
                for answer in channel.stream_stream(path, **form)(iter(words), timeout=10):
                    print(answer)
            elif method == "Count":
                print(*channel.unary_stream(path, **form)(" ".join(words), timeout=10))
            else:
                print(channel.unary_unary(path, **form)(" ".join(words), timeout=10))
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--call", metavar="ADDRESS:PORT")
    parser.add_argument("method", nargs="?")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    if options.call:
        call(options.call, options.method or "Hello", options.words)
    else:
        serve(options.address, options.port)


if __name__ == "__main__":
    main()
