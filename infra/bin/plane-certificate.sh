#!/bin/sh
# Makes the certificate of the way between the planes, with an authority of its own that nobody else trusts, puts it into a secret of
# AWS Secrets Manager, and prints the secret's ARN: planeTlsSecretArn in cdk.json. Run again it replaces the certificate and the
# authority; the authority before stays trusted, so that data planes can be restarted first, and control planes after them.
#
#   bin/plane-certificate.sh [NAME]      NAME is the name of the installation, `ccag` if it is left out
#   bin/plane-certificate.sh NAME DIR    leaves the files in DIR and calls nobody
#
# It needs openssl and, without a DIR, the AWS CLI with rights for secretsmanager:CreateSecret and PutSecretValue.
set -eu
umask 077

name=${1:-ccag}
host="control.$name.internal"
if [ $# -ge 2 ]; then
    dir=$2
    mkdir -p "$dir"
else
    dir=$(mktemp -d)
    trap 'rm -rf "$dir"' EXIT
fi

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$name planes" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
    -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$host" \
    -keyout "$dir/tls.key" -out "$dir/tls.csr" 2>/dev/null
printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE\n' "$host" > "$dir/tls.ext"
openssl x509 -req -in "$dir/tls.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -CAcreateserial -days 825 \
    -extfile "$dir/tls.ext" -out "$dir/tls.crt" 2>/dev/null
# The authority signs once and never again.
rm -f "$dir/ca.key" "$dir/ca.srl" "$dir/tls.csr" "$dir/tls.ext"

# What data planes trust: the new authority, and, if there is one, the one before.
secret="$name/plane-tls"
arn=
if [ $# -lt 2 ]; then
    arn=$(aws secretsmanager describe-secret --secret-id "$secret" --query ARN --output text 2>/dev/null || true)
fi
if [ -n "$arn" ]; then
    aws secretsmanager get-secret-value --secret-id "$arn" --query SecretString --output text > "$dir/before.json"
    printf '%b' "$(sed -n 's/.*"ca\.crt": "\([^"]*\)".*/\1/p' "$dir/before.json")" |
        awk '!over { print } /END CERTIFICATE/ { over = 1 }' >> "$dir/ca.crt"
    rm -f "$dir/before.json"
fi

# Lines of PEM hold nothing that JSON would want escaped but their ends.
field() { printf '"%s": "%s"' "$1" "$(awk '{ printf "%s\\n", $0 }' "$dir/$1")"; }
printf '{%s, %s, %s}\n' "$(field ca.crt)" "$(field tls.crt)" "$(field tls.key)" > "$dir/secret.json"
[ $# -lt 2 ] || exit 0

if [ -n "$arn" ]; then
    aws secretsmanager put-secret-value --secret-id "$secret" --secret-string "file://$dir/secret.json" > /dev/null
else
    arn=$(aws secretsmanager create-secret --name "$secret" --secret-string "file://$dir/secret.json" --query ARN --output text)
fi
echo "$arn"
