"""The other end of elsewhere.py: a question is a line of JSON, and so is its answer. Runs under a newer Python, with `ryjwt` alone."""

import json
import sys
import time
from typing import Any

import ryjwt


def main() -> None:
    """Until there is no further question."""
    key: Any = None
    tokens: list[str] = []
    for line in sys.stdin:
        question = json.loads(line)
        answer: float = True
        if "pem" in question:
            key = ryjwt.PublicKey(
                question["pem"],
                algorithms=[question["alg"]],
                audience=question["audience"],
                issuer=question["issuer"],
            )
        elif "take" in question:
            tokens = question["take"]
        elif "each" in question:
            started = time.perf_counter()
            for token in tokens:
                key.decode(token)
            answer = time.perf_counter() - started
        else:
            try:
                key.decode(question["judge"])
            except BaseException:  # a panic is no `Exception`
                answer = False
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
