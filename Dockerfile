# Cardea in a container: built in one stage, run in another that holds the program and its libraries only.
#   docker build -t cardea .
#   docker run -p 8000:8000 -v "$PWD/petstore.yaml:/etc/cardea/cardea.yaml:ro" cardea
#
# io_uring: Docker's default seccomp profile refuses io_uring_setup (since 25.0; containerd since 2.0). Cardea then serves over epoll and
# says so in its log and in `cardea status`. To give it io_uring, allow io_uring_setup, io_uring_enter and io_uring_register in a
# profile of your own (--security-opt seccomp=FILE). `--security-opt seccomp=unconfined` is for trying it out only. On kernels
# before 5.12 its buffers count as locked memory too: --ulimit memlock=-1.
FROM debian:12 AS build
WORKDIR /cardea
COPY scripts/packages.txt scripts/install-dependencies scripts/
RUN apt-get update -q && scripts/install-dependencies build develop
COPY . .
RUN make package

FROM debian:12-slim
COPY --from=build /cardea/cardea_*.deb /tmp/
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends /tmp/cardea_*.deb ca-certificates \
    && rm -rf /var/lib/apt/lists/* /tmp/cardea_*.deb \
    && useradd --system --home-dir /var/lib/cardea --create-home --shell /usr/sbin/nologin cardea
USER cardea
# Metrics for whoever shares the container's network; publish 8001 only where all who can reach it may see them.
ENV CARDEA_PROXY_ACCESS_LOG=/dev/stdout CARDEA_PROXY_ERROR_LOG=/dev/stderr
EXPOSE 8000
STOPSIGNAL SIGTERM
ENTRYPOINT ["cardea"]
CMD ["run", "--conf", "/etc/cardea/cardea.conf"]
