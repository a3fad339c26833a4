"""A gRPC server on 127.0.0.1 and calls to it, both by grpcio: messages are bytes, whatever the method."""

import sys
import threading
from concurrent import futures

try:
    import grpc
except ImportError:  # Debian's python3-grpcio, for a Python that is not Debian's
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import grpc
    except ImportError:
        grpc = None

SERVICE = "test.Echo"
LARGEST = 64 << 20
OPTIONS = [("grpc.max_receive_message_length", LARGEST), ("grpc.max_send_message_length", LARGEST),
           ("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]


class GrpcServer:
    def __init__(self, credentials=None):
        self.calls = []                       # method, metadata and deadline (seconds or None) of each
        self.cancelled = threading.Event()    # one was, in `Silent`
        self.unfinished = threading.Event()   # lets `Silent` go on
        self.health = None                    # answer of grpc.health.v1.Health; None: there is no such service
        self.probes = []                      # metadata of each
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=OPTIONS)
        handlers = {"Unary": grpc.unary_unary_rpc_method_handler(self.unary),
                    "Collect": grpc.stream_unary_rpc_method_handler(self.collect),
                    "Count": grpc.unary_stream_rpc_method_handler(self.count),
                    "PingPong": grpc.stream_stream_rpc_method_handler(self.ping_pong),
                    "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
                    "HalfFail": grpc.unary_stream_rpc_method_handler(self.half_fail),
                    "Silent": grpc.unary_unary_rpc_method_handler(self.silent)}
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        health = {"Check": grpc.unary_unary_rpc_method_handler(self.check)}
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", health),))
        address = "127.0.0.1:0"
        self.port = (self.server.add_secure_port(address, credentials) if credentials
                     else self.server.add_insecure_port(address))
        self.server.start()

    def end(self):
        self.unfinished.set()
        self.server.stop(0)

    def note(self, method, context):
        left = context.time_remaining()
        self.calls.append((method, dict(context.invocation_metadata()), left))

    def check(self, request, context):
        self.probes.append(dict(context.invocation_metadata()))
        if self.health is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no such service")
        return self.health

    def unary(self, request, context):
        self.note("Unary", context)
        for key, value in context.invocation_metadata():
            if key == "x-initial":
                context.send_initial_metadata((("x-initial", value),))
            if key == "x-trailing-bin":
                context.set_trailing_metadata((("x-trailing-bin", value),))
        return request

    def collect(self, requests, context):
        self.note("Collect", context)
        return b"".join(requests)

    def count(self, request, context):
        self.note("Count", context)
        for i in range(int(request)):
            yield b"%d" % i

    def ping_pong(self, requests, context):
        self.note("PingPong", context)
        for request in requests:
            yield b"pong " + request

    def fail(self, request, context):
        self.note("Fail", context)
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, request.decode())

    def half_fail(self, _, context):
        yield b"one"
        context.abort(grpc.StatusCode.DATA_LOSS, "lost")

    def silent(self, request, context):
        self.note("Silent", context)
        context.add_callback(self.cancelled.set)
        self.unfinished.wait(30)
        return request


class GrpcClient:
    def __init__(self, port, credentials=None, options=()):
        target = f"localhost:{port}" if credentials else f"127.0.0.1:{port}"
        all_options = [*OPTIONS, *options]
        self.channel = (grpc.secure_channel(target, credentials, all_options) if credentials
                        else grpc.insecure_channel(target, all_options))

    def end(self):
        self.channel.close()

    @staticmethod
    def path(method):
        return method if method.startswith("/") else f"/{SERVICE}/{method}"

    def unary(self, method, request=b"", timeout=20, metadata=None):
        """The answer's message, its first and its last metadata; grpc.RpcError if the call fails."""
        answer, call = self.channel.unary_unary(self.path(method)).with_call(request, timeout=timeout, metadata=metadata)
        return answer, dict(call.initial_metadata()), dict(call.trailing_metadata())

    def status(self, method, request=b"", timeout=20, metadata=None):
        """Of a call that fails."""
        try:
            self.unary(method, request, timeout, metadata)
        except grpc.RpcError as error:
            return error.code().name, error.details()
        return "OK", ""
