package config

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pasteHere are places of the file that take a path, or a word that a message
// may name; X is what was pasted there.
var pasteHere = []string{
	"confirm: [{account: a, path: 'X', reason: r}]",
	"exclude: [{path: 'X', reason: r}]",
	"exclude: [{account: 'X', reason: r}, {account: 'X', reason: r}]",
	"accept: [{vault: 'X', reason: r}, {source: 'X', reason: r}, {directory: 'X', reason: r}, {account: b, problem: 'X', reason: r}]",
	"vault: {adopt: 'X'}", "vault: {handover: 'X'}", "vault: {mount: 'X'}", "vault: {rotate_login: 'X'}",
	"directories: {corp: {driver: openldap, servers: ['X'], base: 'X', bind: {dn: 'X', password: 'X'}}}",
	"directories: {corp: {driver: openldap, servers: [ldaps://a.example], base: 'dc=a', bind: {dn: 'cn=a', password: 'X'}, rehearsal: {below: 'X'}}}",
	"postgresql: {db: {driver: postgresql, servers: ['X'], bind: {role: r, password: 'X'}}}",
	"sources: [{type: vault-kv, prefix: 'X'}]", "sources: [{type: manifest, file: 'X'}]", "sources: [{type: vault-approle, mount: 'X', roles: ['X']}]",
	"waves: [{name: w, kind: 'X', account: 'X', source: 'X', directory: 'X'}]",
	"containment: {how: 'X', at: 'X', note: 'X', addresses: ['X'], ports: ['X']}", "profile: 'X'", "answers: 'X'", "formerly: ['X']",
	"rehearsal: 'X'", "'X': 1", "ledger: {'X': 1, dir: /tmp}",
}

// A value pasted where something else belongs is repeated by no message of any
// section: not one with a slash and a #, which have the form of a path but for
// characters that no path has, nor any other.
func TestNoSectionRepeatsAPastedValue(t *testing.T) { rapid.Check(t, pasteAnywhere) }

func FuzzPastedValues(f *testing.F) { f.Fuzz(rapid.MakeFuzz(pasteAnywhere)) }

func pasteAnywhere(t *rapid.T) {
	part := rapid.StringMatching(`[A-Za-z0-9]{3,6}[!$^*?;{}]{1,2}[A-Za-z0-9]{2,5}`)
	pasted := rapid.SampledFrom([]string{"#", "/", "/x#", "!"}).Draw(t, "between")
	pasted = part.Draw(t, "mount") + pasted + part.Draw(t, "path") + "#" + part.Draw(t, "field")
	section := rapid.SampledFrom(pasteHere).Draw(t, "section")
	_, err := load("c.yaml", "testdata", []byte("device: esg-01\n"+strings.ReplaceAll(section, "X", pasted)+"\n"))
	if err == nil {
		return // a word that is checked where it is used
	}
	for _, p := range strings.FieldsFunc(pasted, func(r rune) bool { return r == '#' || r == '/' }) {
		if len(p) > 3 && strings.Contains(err.Error(), p) {
			t.Fatalf("%s: %v", section, err)
		}
	}
}
