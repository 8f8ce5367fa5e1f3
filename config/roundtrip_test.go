package config

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
)

// A worker gets its campaign as JSON: whatever Load can make must come back
// unchanged.
func TestCampaignSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyCampaign(t)
		b, err := json.Marshal(want)
		require.NoError(t, err)
		var got Campaign
		require.NoError(t, json.Unmarshal(b, &got))
		require.Equal(t, want, got)
	})
}

func TestDurationsReadWhatTheyWrite(t *testing.T) {
	require.Equal(t, "4h", Duration(4*time.Hour).String())
	require.Equal(t, "1m30s", Duration(90*time.Second).String())
	require.Equal(t, "10m", Duration(10*time.Minute).String())
	require.Equal(t, "0s", Duration(0).String())
	rapid.Check(t, func(t *rapid.T) {
		want := Duration(rapid.Int64().Draw(t, "d"))
		text, err := want.MarshalText()
		require.NoError(t, err)
		var got Duration
		require.NoError(t, got.UnmarshalText(text))
		require.Equal(t, want, got)
	})
}

func anyCampaign(t *rapid.T) Campaign {
	text := rapid.String()
	duration := rapid.Map(rapid.Int64(), func(n int64) Duration { return Duration(n) })
	when := rapid.Map(rapid.Int64Range(0, 4e9), func(n int64) time.Time { return time.Unix(n, 0).UTC() })
	path := rapid.Custom(func(t *rapid.T) credential.Path {
		return credential.Path{Mount: text.Draw(t, "mount"), Path: text.Draw(t, "path"), Field: text.Draw(t, "field")}
	})
	directory := rapid.Custom(func(t *rapid.T) Directory {
		return Directory{
			Driver: text.Draw(t, "driver"), Servers: rapid.SliceOf(text).Draw(t, "servers"), Base: text.Draw(t, "base"),
			Discover: text.Draw(t, "discover"),
			StartTLS: rapid.Bool().Draw(t, "starttls"), Insecure: rapid.Bool().Draw(t, "insecure"), CA: text.Draw(t, "ca"),
			Bind:    Bind{DN: text.Draw(t, "dn"), Password: path.Draw(t, "password")},
			Partner: Bind{DN: text.Draw(t, "partner"), Password: path.Draw(t, "partner's password")}, Set: text.Draw(t, "set"),
			Password: PasswordPolicy{VaultPolicy: text.Draw(t, "policy"), Length: rapid.Int().Draw(t, "length"),
				Symbols: text.Draw(t, "symbols"), NoSymbols: rapid.Bool().Draw(t, "none")},
			RatePerSecond: rapid.Float64Range(0, 1e6).Draw(t, "rate"), Connections: rapid.Int().Draw(t, "connections"),
			Timeout: duration.Draw(t, "timeout"),
		}
	})
	source := rapid.Custom(func(t *rapid.T) Source {
		return Source{
			Name: text.Draw(t, "name"), Type: text.Draw(t, "type"), File: text.Draw(t, "file"),
			Content: filled(rapid.SliceOf(rapid.Byte()).Draw(t, "content")), Prefix: text.Draw(t, "prefix"), Kind: credential.Kind(text.Draw(t, "kind")),
			Directory: text.Draw(t, "directory"), Filter: text.Draw(t, "filter"), Base: text.Draw(t, "base"),
			Mount: text.Draw(t, "mount"), Role: text.Draw(t, "role"), CIDR: text.Draw(t, "cidr"),
			Metadata: map[string]string{"k" + text.Draw(t, "key"): text.Draw(t, "value")},
		}
	})
	interval := rapid.Custom(func(t *rapid.T) Interval {
		in := Interval{From: when.Draw(t, "from")}
		if rapid.Bool().Draw(t, "ended") {
			in.To = when.Draw(t, "to")
		}
		return in
	})
	wave := rapid.Custom(func(t *rapid.T) Wave {
		return Wave{Name: text.Draw(t, "name"), Kind: credential.Kind(text.Draw(t, "kind")), Directory: text.Draw(t, "directory"),
			Source: text.Draw(t, "source"), Account: text.Draw(t, "account"), Batch: rapid.Int().Draw(t, "batch")}
	})
	accept := rapid.Custom(func(t *rapid.T) Accept {
		return Accept{Account: text.Draw(t, "account"), Problem: credential.Problem(text.Draw(t, "problem")), Source: text.Draw(t, "source"), Directory: text.Draw(t, "directory"), Server: text.Draw(t, "server"), Vault: text.Draw(t, "vault"), Reason: text.Draw(t, "reason")}
	})
	exclude := rapid.Custom(func(t *rapid.T) Exclude {
		return Exclude{Account: text.Draw(t, "account"), Path: text.Draw(t, "path"), Reason: text.Draw(t, "reason")}
	})
	return Campaign{
		Device:      text.Draw(t, "device"),
		Exposure:    filled(rapid.SliceOf(interval).Draw(t, "exposure")),
		Vault:       Vault{Mount: text.Draw(t, "mount"), Transit: text.Draw(t, "transit"), Adopt: text.Draw(t, "adopt"), HandOver: text.Draw(t, "handover"), RotateLogin: rapid.Bool().Draw(t, "login")},
		Directories: rapid.MapOf(text, directory).Draw(t, "directories"),
		Sources:     rapid.SliceOf(source).Draw(t, "sources"),
		Exclude:     filled(rapid.SliceOf(exclude).Draw(t, "exclude")),
		Accept:      filled(rapid.SliceOf(accept).Draw(t, "accept")),
		Waves:       filled(rapid.SliceOf(wave).Draw(t, "waves")),
		Limits: Limits{Batch: rapid.Int().Draw(t, "batch"), Parallel: rapid.Int().Draw(t, "parallel"),
			Concurrency: rapid.Int().Draw(t, "concurrency"), RetryMin: duration.Draw(t, "min"),
			RetryMax: duration.Draw(t, "max"), Deadline: duration.Draw(t, "deadline")},
	}
}

// filled gives nil for an empty slice, as Load does where JSON leaves it out.
func filled[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}
