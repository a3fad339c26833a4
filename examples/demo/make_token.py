"""Prints a token for a consumer of examples/consumers.yaml, good until the end of tomorrow: the same one all day.

    python3 examples/demo/make_token.py [alice|bob]"""

import base64
import hashlib
import hmac
import json
import sys
import time


def token(name, seconds=None):
    day = 86_400
    exp = (int(time.time()) // day + 2) * day if seconds is None else int(time.time()) + seconds

    def part(content):
        return base64.urlsafe_b64encode(content).rstrip(b"=")

    header = {"alg": "HS256", "typ": "JWT", "kid": f"{name}-key"}
    claims = {"iss": f"{name}-key", "sub": name, "exp": exp}
    text = b".".join(part(json.dumps(each).encode()) for each in (header, claims))
    signature = hmac.new(f"{name}'s secret, for the demo only".encode(), text, hashlib.sha256).digest()
    return (text + b"." + part(signature)).decode()


if __name__ == "__main__":
    print(token(sys.argv[1] if len(sys.argv) > 1 else "alice"))
