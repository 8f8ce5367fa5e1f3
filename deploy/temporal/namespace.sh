#!/bin/sh
# Registers the namespace and the search attributes by which campaigns are found.
# Safe to repeat.
set -eu
until temporal operator cluster health >/dev/null 2>&1; do sleep 1; done
temporal operator namespace describe -n default >/dev/null 2>&1 ||
  temporal operator namespace create -n default --retention 30d
for attribute in RollcallDevice RollcallCampaign; do
  temporal operator search-attribute list -n default | grep -qw "$attribute" ||
    temporal operator search-attribute create -n default --name "$attribute" --type Keyword
done
