package rotation

import (
	"flag"
	"os"
	"testing"
)

// TestMain draws more courses than rapid's default of 100: each costs a
// fraction of a millisecond. -rapid.checks overrides it.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "3000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
