"""Reads a stream of Canvus with httpx, the way an asynchronous Python program does.

Usage: stream_httpx.py URL SECRET

Waits for a byte for three seconds at the most, where httpx itself would wait for five. Prints each object on a line of its
own, whether it came alone or in an array; `alive` for a sign of life; and `the end` at the end.
"""

import asyncio
import json
import sys

import httpx


async def main():
    url, secret = sys.argv[1:]
    timeout = httpx.Timeout(30, read=3)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
        async with client.stream("GET", url, headers={"Private-Token": secret}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line:
                    print("alive", flush=True)
                    continue
                news = json.loads(line)
                for item in news if isinstance(news, list) else [news]:
                    print(json.dumps(item), flush=True)
    print("the end", flush=True)


asyncio.run(main())
