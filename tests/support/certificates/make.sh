#!/bin/sh
# Makes the certificates of the tests: an authority, servers signed by it, a
# server signed by an authority that nobody trusts, and some that nobody signed
# who may. They were made once and are kept; their keys are secret to nobody.
# Run it here to make them anew.
set -eu
cd "$(dirname "$0")"

key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}

rsa_key() {
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key"
}

authority() { # NAME
  key "$1"
  openssl req -new -x509 -sha256 -days 36525 -key "$1.key" -subj "/CN=$1" \
    -addext keyUsage=critical,keyCertSign -out "$1.pem"
}

signed() { # NAME AUTHORITY DAYS EXTENSIONS
  key "$1"
  printf "basicConstraints=critical,CA:FALSE\n$4\n" > "$1.ext"
  openssl req -new -key "$1.key" -subj "/CN=$1" |
    openssl x509 -req -sha256 -CA "$2.pem" -CAkey "$2.key" \
      -set_serial "0x$(openssl rand -hex 8)" -days "$3" -extfile "$1.ext" -out "$1.pem"
  rm "$1.ext"
}

server() { # NAME AUTHORITY ALTERNATIVE-NAMES DAYS
  signed "$1" "$2" "$4" "subjectAltName=$3\nextendedKeyUsage=serverAuth"
}

itself() { # NAME ALTERNATIVE-NAMES EXTENDED-KEY-USAGE [MAKER-OF-ITS-KEY]
  "${4:-key}" "$1"
  openssl req -new -x509 -sha256 -days 36525 -key "$1.key" -subj "/CN=$1" \
    -addext "subjectAltName=$2" -addext "extendedKeyUsage=$3" -out "$1.pem"
}

version1() { # NAME COMMON-NAME OPTIONS
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$2" |
    openssl x509 -req -sha256 -days 36525 -set_serial "0x$(openssl rand -hex 8)" -out "$1.pem" $3
}

authority authority
authority stranger
server example.test authority DNS:example.test,DNS:xmpp.example.test 36525
server wildcard authority DNS:*.example.test 36525
server other.test authority DNS:other.test 36525
server expired authority DNS:example.test -1
server unknown stranger DNS:example.test 36525
rm stranger.key stranger.pem authority.key

# By itself, with an RSA key; and without a name.
itself rsa.test DNS:rsa.test,DNS:*.rsa.test serverAuth rsa_key
itself nameless IP:192.0.2.1 serverAuth

# By themselves, with all the names that "prosodyctl cert generate" gives them; for a client; and of
# the old version.
names="DNS:example.test,otherName:1.3.6.1.5.5.7.8.5;UTF8:example.test"
itself self-signed "$names,otherName:1.3.6.1.5.5.7.8.7;IA5:_xmpp-client.example.test" serverAuth
itself client DNS:causeway.test clientAuth
version1 version1 example.test '-signkey version1.key'

# By somebody who has nothing of the authority but its name.
key namesake
openssl req -new -x509 -sha256 -days 36525 -key namesake.key -subj /CN=authority -out namesake.pem
version1 forged example.test '-CA namesake.pem -CAkey namesake.key'

# For clients: of an authority for them; of that one, but over, for servers, or of the old version; and
# of its namesake.
authority client-authority
signed friend client-authority 36525 extendedKeyUsage=clientAuth
signed friend-expired client-authority -1 extendedKeyUsage=clientAuth
signed friend-server client-authority 36525 extendedKeyUsage=serverAuth
version1 friend-version1 friend '-CA client-authority.pem -CAkey client-authority.key'
openssl req -new -x509 -sha256 -days 36525 -key namesake.key -subj /CN=client-authority \
  -addext keyUsage=critical,keyCertSign -out namesake.pem
signed friend-namesake namesake 36525 extendedKeyUsage=clientAuth
version1 friend-forged friend '-CA namesake.pem -CAkey namesake.key'
rm namesake.key namesake.pem client-authority.key
