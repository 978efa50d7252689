#!/bin/bash
# Whether the server of this container is alive: status 0 if GET /health is answered 200. The image's HEALTHCHECK.
# Bash opens the connection itself, so that the image needs neither curl nor anything else that could be abused.
#   catena-health [PORT]    by default $CATENA_SERVER_PORT, or 8080
set -u

port=${1:-${CATENA_SERVER_PORT:-8080}}
# A server that accepts and does not answer must not hold the probe for ever.
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 2 _ status _ <&3 || exit 1
[ "$status" = 200 ]
