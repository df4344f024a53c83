"""A desktop as far as notifications go: takes them over D-Bus and writes down what it would show."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jeepney import HeaderFields, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection


def main() -> None:
    shown = Path(sys.argv[1])
    with open_dbus_connection("SESSION") as connection:
        connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
        print("ready", flush=True)
        while True:
            message = connection.receive()
            if message.header.message_type is not MessageType.method_call:
                continue
            member = message.header.fields[HeaderFields.member]
            if member == "Notify":
                app, _, _, title, body = message.body[:5]
                with shown.open("a") as file:
                    file.write(json.dumps({"app": app, "title": title, "body": body}) + "\n")
                connection.send(new_method_return(message, "u", (1,)))
            elif member == "GetServerInformation":
                connection.send(new_method_return(message, "ssss", ("desktop", "tests", "1", "1.2")))
            elif member == "GetCapabilities":
                connection.send(new_method_return(message, "as", (["body"],)))
            else:
                connection.send(new_error(message, "org.freedesktop.DBus.Error.UnknownMethod"))


if __name__ == "__main__":
    main()
