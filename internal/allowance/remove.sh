#!/bin/sh
# Removes every rule that apply has added.
exec sh "$(dirname "$0")/apply" nothing
