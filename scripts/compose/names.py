"""A name server that knows no name: python3 names.py ADDRESS. Docker asks one for
the names that are not its own, and leaves who asked without an answer if there is
none."""
import socket
import sys

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
while True:
    query, who = server.recvfrom(4096)
    end = 12
    while end < len(query) and query[end]:
        end += query[end] + 1
    # The same question, as an answer of code 3: there is no such name.
    header = query[:2] + bytes([0x81, 0x83, 0, 1, 0, 0, 0, 0, 0, 0])
    server.sendto(header + query[12:end + 5], who)
