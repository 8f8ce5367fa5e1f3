package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestTheIncidentIsAFewWordsOnALineAndNoSecret(t *testing.T) {
	read := func(incident string) (*Campaign, error) {
		text := "device: esg-01\n" + incident + `
vault: {adopt: "kv/rollcall/{directory}/{account}#password"}
directories:
  corp: {driver: openldap, servers: [ldaps://ldap1.example.org], base: "dc=example,dc=org", bind: {dn: "cn=rollcall,dc=example,dc=org", password: kv/bind#password}}
sources: [{type: vault-kv, prefix: kv/apps}]
`
		return load("c.yaml", t.TempDir(), []byte(text))
	}
	c, err := read("")
	require.NoError(t, err)
	require.Zero(t, c.Incident)
	require.Empty(t, c.Incident.Words())
	c, err = read(`incident: {number: INC0012345, severity: 1 - Critical, approved_by: "Jo Müller"}`)
	require.NoError(t, err)
	require.Equal(t, credential.Incident{Number: "INC0012345", Severity: "1 - Critical", ApprovedBy: "Jo Müller"}, c.Incident)
	require.Equal(t, "INC0012345, severity 1 - Critical, approved by Jo Müller", c.Incident.Words())
	for given, want := range map[string]string{
		"incident: {severity: high}":                                               "number",
		"incident: INC1":                                                           "incident",
		"incident: {number: INC1, serverity: high}":                                "severity",
		"incident: {number: " + strings.Repeat("é", 65) + "}":                      "is longer than 64 characters",
		"incident: {number: INC1, severity: " + strings.Repeat("x", 33) + "}":      "is longer than 32 characters",
		"incident: {number: INC1, approved_by: " + strings.Repeat("x", 129) + "}":  "is longer than 128 characters",
		`incident: {number: "INC1\nby: nobody"}`:                                   "must be one line of text",
		"incident: {number: hvs.CAESIJ3vTq8pGzLk2mXw4nRb7yUe9sHd1fAoQc5tVi6jZx0B}": "holds",
		"incident: {number: INC1, approved_by: https://jo:pw12@tickets.example}":   "a URL with a login in it",
	} {
		_, err := read(given)
		require.ErrorContains(t, err, want, given)
	}
	_, err = read("incident: {number: hvs.CAESIJ3vTq8pGzLk2mXw4nRb7yUe9sHd1fAoQc5tVi6jZx0B}")
	require.NotContains(t, err.Error(), "hvs.CAESI")
}
