#!/bin/sh
# Installs what the tests of the page need, on Debian and Ubuntu: Chromium and its driver.
set -eu
command -v chromium > /dev/null && command -v chromedriver > /dev/null && exit
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
  echo 'browser: no Chromium and chromedriver; the tests of the page are skipped without them:' \
    'sudo apt install chromium chromium-driver' >&2
  exit
fi
apt-get update --quiet --quiet || true
apt-get install --quiet --quiet --yes --no-install-recommends chromium chromium-driver fonts-dejavu-core > /dev/null
