#!/bin/sh
# Makes the certificates of the tests: an authority, servers signed by it, and
# a server signed by an authority that nobody trusts. They were made once and
# are kept; their keys are secret to nobody. Run it here to make them anew.
set -eu
cd "$(dirname "$0")"

key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}

authority() { # NAME
  key "$1"
  openssl req -new -x509 -sha256 -days 36525 -key "$1.key" -subj "/CN=$1" \
    -addext keyUsage=critical,keyCertSign -out "$1.pem"
}

server() { # NAME AUTHORITY ALTERNATIVE-NAMES DAYS
  key "$1"
  printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n' \
    "$3" > "$1.ext"
  openssl req -new -key "$1.key" -subj "/CN=$1" |
    openssl x509 -req -sha256 -CA "$2.pem" -CAkey "$2.key" \
      -set_serial "0x$(openssl rand -hex 8)" -days "$4" -extfile "$1.ext" -out "$1.pem"
  rm "$1.ext"
}

authority authority
authority stranger
server example.test authority DNS:example.test,DNS:xmpp.example.test 36525
server wildcard authority DNS:*.example.test 36525
server other.test authority DNS:other.test 36525
server expired authority DNS:example.test -1
server unknown stranger DNS:example.test 36525
rm stranger.key stranger.pem authority.key
