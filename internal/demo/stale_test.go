package demo_test

// What the binary under test is made of, so that a cached result is known to be
// stale.
import _ "rollcall/internal/cli"
