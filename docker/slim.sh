#!/bin/sh
# Remove from the packages in /opt/venv what no step reads.
set -eu
packages=$(echo /opt/venv/lib/python3*/site-packages)
# Their own tests: 18 MB.
for name in numpy h5py; do
  [ ! -d "$packages/$name" ] || find "$packages/$name" -type d -name tests -prune -exec rm -r {} +
done
# The descriptions of the services that are neither S3 nor give credentials for it: 25 MB.
find "$packages/botocore/data" -mindepth 1 -maxdepth 1 -type d \
  ! -name s3 ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} +
# The headers serve only who compiles operations of their own: 287 MB.
rm -rf "$packages/tensorflow/include"
