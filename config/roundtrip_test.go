package config

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/profile"
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

// A campaign that a newer build began may name what this one does not know.
func TestSystemsOfATypeThatThisBuildDoesNotKnowAreAnError(t *testing.T) {
	for text, want := range map[string]string{
		`{"erp":{"type":"oracle","settings":{"password":"PLANTED"}}}`:     "erp: this build knows no authority of type oracle; let a worker of the newer build take the campaign",
		`{"erp":{"settings":{}}}`:                                         "knows no authority of type",
		`{"erp":{"type":"postgresql","settings":{"connections":"many"}}}`: "erp, of type postgresql: ",
		`{"erp":3}`: "cannot unmarshal",
	} {
		var s Systems
		err := json.Unmarshal([]byte(text), &s)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "PLANTED")
	}
	none, err := json.Marshal(Campaign{})
	require.NoError(t, err)
	var back Campaign
	require.NoError(t, json.Unmarshal(none, &back))
	require.Nil(t, back.Authority("erp"))
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
			Discover: text.Draw(t, "discover"), DefaultPolicy: text.Draw(t, "default policy"),
			StartTLS: rapid.Bool().Draw(t, "starttls"), Insecure: rapid.Bool().Draw(t, "insecure"), CA: text.Draw(t, "ca"),
			Bind:    Bind{DN: text.Draw(t, "dn"), Password: path.Draw(t, "password")},
			Partner: Bind{DN: text.Draw(t, "partner"), Password: path.Draw(t, "partner's password")}, Set: text.Draw(t, "set"),
			Password: PasswordPolicy{VaultPolicy: text.Draw(t, "policy"), Length: rapid.Int().Draw(t, "length"),
				Symbols: text.Draw(t, "symbols"), NoSymbols: rapid.Bool().Draw(t, "none")},
			RatePerSecond: rapid.Float64Range(0, 1e6).Draw(t, "rate"), Connections: rapid.Int().Draw(t, "connections"),
			Timeout: duration.Draw(t, "timeout"),
		}
	})
	cluster := rapid.Custom(func(t *rapid.T) authority.Settings {
		login := rapid.Custom(func(t *rapid.T) authority.Login {
			return authority.Login{Name: text.Draw(t, "role"), Secret: path.Draw(t, "secret")}
		})
		return settings.Cluster{
			Servers: rapid.SliceOfN(text, 1, 4).Draw(t, "servers"), Formerly: filled(rapid.SliceOf(text).Draw(t, "formerly")),
			Database: text.Draw(t, "database"), CA: text.Draw(t, "ca"), Bind: rapid.SliceOfN(login, 1, 2).Draw(t, "bind"),
			Password: PasswordPolicy{Length: rapid.Int().Draw(t, "length")}, Connections: rapid.Int().Draw(t, "connections"),
			Timeout: time.Duration(rapid.Int64().Draw(t, "timeout")),
		}
	})
	source := rapid.Custom(func(t *rapid.T) Source {
		return Source{
			Name: text.Draw(t, "name"), Type: text.Draw(t, "type"), File: text.Draw(t, "file"),
			Content: filled(rapid.SliceOf(rapid.Byte()).Draw(t, "content")), Prefix: text.Draw(t, "prefix"), Kind: credential.Kind(text.Draw(t, "kind")),
			Directory: text.Draw(t, "directory"), Filter: text.Draw(t, "filter"), Base: text.Draw(t, "base"),
			Mount: text.Draw(t, "mount"), Role: text.Draw(t, "role"), CIDR: text.Draw(t, "cidr"),
			User: text.Draw(t, "user"), MemberOf: text.Draw(t, "member of"),
			ProfileLines: filled(rapid.SliceOf(text).Draw(t, "lines")),
			Accessors:    []string{text.Draw(t, "accessor")}, DisplayName: text.Draw(t, "display name"), Policy: text.Draw(t, "policy"),
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
		return Accept{Account: text.Draw(t, "account"), Problem: credential.Problem(text.Draw(t, "problem")), Source: text.Draw(t, "source"), Directory: text.Draw(t, "directory"), Server: text.Draw(t, "server"), Vault: text.Draw(t, "vault"), On: when.Draw(t, "accepted on"), Until: when.Draw(t, "accepted until"), Line: rapid.Int().Draw(t, "line"), Reason: text.Draw(t, "reason")}
	})
	exclude := rapid.Custom(func(t *rapid.T) Exclude {
		return Exclude{Account: text.Draw(t, "account"), Path: text.Draw(t, "path"), Reason: text.Draw(t, "reason")}
	})
	door, err := BuiltInProfile(rapid.SampledFrom(ProfileNames()).Draw(t, "profile"))
	require.NoError(t, err)
	answers := &profile.Answers{File: text.Draw(t, "answers"), Device: "d", Profile: door.Name, By: text.Draw(t, "by"), On: when.Draw(t, "on"), List: []profile.Given{
		{Line: text.Draw(t, "line"), At: 3, Answer: credential.Later, Reason: text.Draw(t, "why"), Owner: text.Draw(t, "owner"), Due: when.Draw(t, "due"), By: "b", On: when.Draw(t, "on")}}}
	return Campaign{
		Profile: door, Answers: answers, AnswersFile: text.Draw(t, "file"), Unanswered: &Word{Reason: text.Draw(t, "reason"), By: text.Draw(t, "by")},
		Device:      text.Draw(t, "device"),
		Containment: &Containment{How: credential.Isolated, At: when.Draw(t, "contained"), By: text.Draw(t, "who"), Note: text.Draw(t, "note"), Addresses: filled(rapid.SliceOf(text).Draw(t, "addresses")), Ports: filled(rapid.SliceOf(rapid.Int()).Draw(t, "ports")), File: text.Draw(t, "statement")},
		Override:    &Word{Reason: text.Draw(t, "override"), By: text.Draw(t, "whose")},
		UnfitDoors:  &Word{Reason: text.Draw(t, "unfit doors"), By: text.Draw(t, "whose of those")},
		Scheduled:   rapid.Bool().Draw(t, "scheduled"),
		Exposure:    filled(rapid.SliceOf(interval).Draw(t, "exposure")),
		Vault:       Vault{Mount: text.Draw(t, "mount"), Transit: text.Draw(t, "transit"), Adopt: text.Draw(t, "adopt"), HandOver: text.Draw(t, "handover"), RotateLogin: rapid.Bool().Draw(t, "login")},
		Directories: rapid.MapOf(text, directory).Draw(t, "directories"),
		Systems:     Systems(rapid.MapOfN(text, cluster, 1, 3).Draw(t, "systems")),
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
