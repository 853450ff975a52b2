#!/bin/sh
# Takes away every rule that apply has made.
exec sh "$(dirname "$0")/apply" nothing
