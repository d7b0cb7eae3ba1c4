"""Where the sandbox is, and how the clients are pointed at it: by the settings that they have for that."""

import json
import os

import ccxt
import ccxt.pro

# What the sandbox printed when it started.
ADDRESS = json.loads(os.environ["INTEROP_SANDBOX"])

# Seconds that anything may take.
PATIENCE = 60


def exchange(kind=ccxt.ascendex, **settings):
    """A client of the REST calls; with `kind=ccxt.pro.ascendex` of the streams as well."""
    # The sandbox needs no sparing; but for the addresses this is the only setting that is not as it comes.
    client = kind({"enableRateLimit": False, "timeout": PATIENCE * 1000, **settings})
    client.urls["api"]["rest"] = ADDRESS["rest"]
    if kind is ccxt.pro.ascendex:
        client.urls["api"]["ws"] = {
            "public": ADDRESS["ws"] + "/api/pro/v2/stream",
            "private": ADDRESS["ws"] + "/{accountGroup}/api/pro/v2/stream",
        }
    return client


def credentials():
    return {"apiKey": ADDRESS["key"], "secret": ADDRESS["secret"]}
