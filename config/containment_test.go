package config

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func withContainment(t *testing.T, section, statement string) (*Campaign, error) {
	t.Helper()
	dir := t.TempDir()
	if statement != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "contained-esg-01.yaml"), []byte(statement), 0o600))
	}
	return load("c.yaml", dir, []byte("device: esg-01\nexposure: [{from: 2022-10-10}]\n"+section+"\nsources: [{type: vault-kv, prefix: kv/a}]\n"))
}

func TestContainmentIsSaidInTheFileOrBesideIt(t *testing.T) {
	at := time.Date(2026, 11, 28, 21, 40, 0, 0, time.UTC)
	c, err := withContainment(t, `containment: {how: off, at: 2026-11-28T22:40:00+01:00, note: unplugged, addresses: [192.0.2.10, "ESG.example.org."], ports: [443, 22]}`, "")
	require.NoError(t, err)
	require.Equal(t, &Containment{How: credential.Off, At: at, Note: "unplugged", Addresses: []string{"192.0.2.10", "esg.example.org"}, Ports: []int{443, 22}}, c.Containment)
	require.Equal(t, []int{22, 443}, c.DevicePorts())

	c, err = withContainment(t, "containment: {addresses: [192.0.2.10]}", "device: ESG-01\nhow: isolated\nat: 2026-11-28T21:40:00Z\nby: \"jo@desk\"\n")
	require.NoError(t, err)
	require.Equal(t, &Containment{How: credential.Isolated, At: at, By: "jo@desk", File: "contained-esg-01.yaml", Addresses: []string{"192.0.2.10"}}, c.Containment)

	c, err = withContainment(t, "containment: {addresses: [192.0.2.10]}\nprofile: ivanti-connect-secure", "")
	require.NoError(t, err, "who contains it may say so later")
	require.False(t, c.Containment.Said())
	require.Equal(t, []int{443}, c.DevicePorts(), "those of its profile")
	c, err = withContainment(t, "", "")
	require.NoError(t, err)
	require.Nil(t, c.Containment)
	require.False(t, c.Containment.Said())
	require.Equal(t, usualPorts, c.DevicePorts())
}

func TestAStatementThatDoesNotHoldIsToldWithItsFileAndLine(t *testing.T) {
	now := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for statement, want := range map[string]string{
		"device: esg-02\nhow: off\nat: 2026-11-28T21:40:00Z\n":               "contained-esg-01.yaml:1: device: this is about esg-02, and the campaign is of esg-01",
		"device: esg-01\nhow: of\nat: 2026-11-28T21:40:00Z\n":                "contained-esg-01.yaml:2: how: unknown: of; did you mean off?",
		"device: esg-01\nhow: gone\nat: 2026-11-28T21:40:00Z\n":              "contained-esg-01.yaml:2: how: unknown: gone; one of replaced, isolated, off",
		"device: esg-01\nat: 2026-11-28T21:40:00Z\n":                         "contained-esg-01.yaml:1: how: missing: one of replaced, isolated, off",
		"device: esg-01\nhow: off\n":                                         "contained-esg-01.yaml:1: at: missing: since when the device is contained",
		"device: esg-01\nhow: off\nat: 2026-11-28T21:40:00\n":                "contained-esg-01.yaml:3: at: needs a time with its zone",
		"device: esg-01\nhow: off\nat: 2026-11-28\n":                         "contained-esg-01.yaml:3: at: needs a time with its zone",
		"device: esg-01\nhow: off\nat: last night\n":                         "contained-esg-01.yaml:3: at: not a time",
		"device: esg-01\nhow: off\nat: " + now + "\n":                        "contained-esg-01.yaml:3: at: lies in the future",
		"device: esg-01\nhow: off\nat: 2020-11-28T21:40:00Z\n":               "contained-esg-01.yaml:3: at: lies before 2022-10-10T00:00:00Z, and until then the device was in foreign hands",
		"device: esg-01\nhow: off\nat: 2026-11-28T21:40:00Z\npassword: PL\n": "contained-esg-01.yaml:4: password: a secret may not be written into this file",
		"[]\n": "contained-esg-01.yaml:1: must be a mapping with device, how and at",
		"\t\n": "contained-esg-01.yaml:",
	} {
		_, err := withContainment(t, "", statement)
		require.ErrorContains(t, err, want, statement)
		require.NotContains(t, err.Error(), "PL\n")
	}
	_, err := withContainment(t, "containment: {how: off, at: 2026-11-28T21:40:00Z}", "device: esg-01\nhow: off\nat: 2026-11-28T21:40:00Z\n")
	require.ErrorContains(t, err, "c.yaml:3: containment.how: contained-esg-01.yaml says how and since when as well: take one of the two out")
	_, err = withContainment(t, "containment: {ports: [22]}", "")
	require.NoError(t, err, "the device's own name may have addresses")
	_, err = withContainment(t, "containment: {addresses: [192.0.2.10], elsewhere: [192.0.2.10]}", "")
	require.ErrorContains(t, err, "c.yaml:3: containment.elsewhere: 192.0.2.10 is among the addresses of the device as well")
	_, err = withContainment(t, "containment: {elsewhere: [esg.example.org]}", "")
	require.ErrorContains(t, err, "c.yaml:3: containment.elsewhere: must be IP addresses")
	_, err = withContainment(t, "containment: yes", "")
	require.ErrorContains(t, err, "c.yaml:3: containment: is a single value, but this must be a mapping")
}

// A word about an earlier time is none about the last one: the device was in
// foreign hands twice, and what was said between lies still beside the file.
func TestAContainmentLiesAfterEachTimeInForeignHands(t *testing.T) {
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return when
	}
	once := Interval{From: at("2026-01-02T00:00:00Z"), To: at("2026-01-05T23:59:59Z")}
	twice := []Interval{once, {From: at("2026-11-20T08:00:00Z"), To: at("2026-11-28T23:59:59Z")}}
	lasts := []Interval{once, {From: at("2026-11-20T08:00:00Z")}}
	for name, c := range map[string]struct {
		said     string
		exposure []Interval
		refused  bool
	}{
		"nobody says when it was":             {"2020-01-01T00:00:00Z", nil, false},
		"after the first time":                {"2026-01-06T00:00:00Z", twice, true},
		"in the middle of the last":           {"2026-11-21T00:00:00Z", twice, true},
		"on the day of its end":               {"2026-11-28T09:00:00Z", twice, false},
		"after both":                          {"2026-11-28T23:59:59Z", twice, false},
		"it lasts, before":                    {"2026-11-20T07:59:59Z", lasts, true},
		"it lasts, and is contained":          {"2026-11-21T00:00:00Z", lasts, false},
		"an end that has not come lasts":      {"2026-11-21T00:00:00Z", []Interval{{From: at("2026-11-20T00:00:00Z"), To: at("2027-01-01T00:00:00Z")}}, false},
		"begun and ended within the same day": {"2026-11-20T07:00:00Z", []Interval{{From: at("2026-11-20T08:00:00Z"), To: at("2026-11-20T09:00:00Z")}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseSince(c.said, at("2026-11-29T12:00:00Z"), c.exposure)
			require.Equal(t, c.refused, err != nil, "%v", err)
		})
	}
}
