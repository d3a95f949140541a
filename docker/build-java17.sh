#!/usr/bin/env bash
# Build kafkalab/kafka:<version>-java17: the same Kafka on Debian's openjdk-17-jre, the oldest JVM that it supports.
# It shows that the common command line of the nodes holds nothing that only a newer JVM knows.
#
#   docker/build-java17.sh [python]        (on Debian or Ubuntu of the engine's kind; no root, no registry)
#
# The package is unpacked, not installed, so this machine's own Java stays as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "Fetching Debian's openjdk-17-jre-headless"
(cd "$scratch" && apt-get download -qq -o APT::Sandbox::User=root openjdk-17-jre-headless)
dpkg -x "$scratch"/openjdk-17-jre-headless_*.deb "$scratch/root"
# The package's links lead to /etc; here that is below $scratch.
find "$scratch/root" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
  ln -sfn "$scratch/root$(readlink "$link")" "$link"
done
java_home=$(echo "$scratch"/root/usr/lib/jvm/java-17-openjdk-*)
version=$("$python" -c 'import kafkalab; print(kafkalab.KAFKA_VERSION)')
"$python" -m kafkalab.cluster.image --java-home "$java_home" --tag "kafkalab/kafka:$version-java17"
