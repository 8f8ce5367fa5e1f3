package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// planted has characters of a good password, so that it never passes for a
// plain word or a Vault reference.
const planted = "Pl4nted!{}secret=+"

// Whatever surrounds it, a secret in a file is never repeated, and nothing
// makes Load panic.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, "example.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		head, tail, _ := strings.Cut(string(text), "\n")
		f.Add(head, tail, "password")
		f.Add(string(text), "", "    bind_pw")
	}
	f.Add("device: a\ndirectories:\n  d:\n    bind:\n      dn: a=b", "sources: []", "      password")
	f.Add("device: a\nvault:\n  adopt: ldaps://u", "@host", "  token")
	f.Fuzz(func(t *testing.T, before, after, key string) {
		// A secret in a comment or in a key of its own is beyond any check;
		// what matters is that no message has it.
		for _, quote := range []string{"", `"`, "'"} {
			text := before + "\n" + key + ": " + quote + planted + quote + "\n" + after
			c, err := load("campaign.yaml", "testdata", []byte(text))
			if (c == nil) == (err == nil) {
				t.Fatal("neither or both of campaign and error")
			}
			if err != nil && strings.Contains(err.Error(), planted) {
				t.Fatalf("the message repeats the secret: %v", err)
			}
		}
	})
}
