package config

import (
	"encoding/json"
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
)

// fill puts a value other than zero, and other than that of its neighbours,
// into everything that can be set below v.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString("x" + strconv.Itoa(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n % 200))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), 0).UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), n)
			}
		}
	}
}

// filledSettings are those of each section with a value in every field, as the
// section itself makes them.
func filledSettings(t *testing.T) map[string]authority.Settings {
	out := map[string]authority.Settings{}
	for _, s := range sections {
		empty, err := s.Decode([]byte(`{}`))
		require.NoError(t, err, s.Type)
		v, n := reflect.New(reflect.TypeOf(empty)).Elem(), 0
		fill(v, &n)
		out[s.Type] = v.Interface().(authority.Settings)
	}
	return out
}

// What a section loses on its way to the worker (a field of an interface type,
// one that JSON leaves out) compiles, and the worker goes by a default.
func TestWhatASectionSaysSurvivesJSON(t *testing.T) {
	for name, want := range filledSettings(t) {
		text, err := json.Marshal(Systems{"x": want})
		require.NoError(t, err, name)
		var got Systems
		require.NoError(t, json.Unmarshal(text, &got), name)
		require.Equal(t, Systems{"x": want}, got, name)
	}
}

// Without the addresses that a listing found, a name is looked up again at each
// dial, and is another machine each time; without the login's secret, the
// worker gets no right to read it and nothing says so.
func TestTheServersAndLoginsOfASectionAreThoseThatTheRestGoesBy(t *testing.T) {
	directory, n := Directory{}, 0
	fill(reflect.ValueOf(&directory).Elem(), &n)
	all := filledSettings(t)
	all[directory.Type()] = directory
	for name, s := range all {
		before, dialled := s.ServerNames(), s.DialledAt("other:1")
		require.NotEmpty(t, before, name)
		found := s.WithServers([]string{"other:1", "other:2"}, map[string]string{"other:1": "192.0.2.1:1"})
		require.Equal(t, []string{"other:1", "other:2"}, found.ServerNames(), name)
		require.Equal(t, "192.0.2.1:1", found.DialledAt("other:1"), name)
		require.Empty(t, found.DialledAt("other:2"), name)
		require.Equal(t, s.Type(), found.Type(), name)
		require.Equal(t, s.Logins(), found.Logins(), "%s: only the servers are others", name)
		require.Equal(t, before, s.ServerNames(), "%s: a copy", name)
		require.Equal(t, dialled, s.DialledAt("other:1"), "%s: a copy", name)

		require.NotEmpty(t, s.Logins(), name)
		for _, login := range s.Logins() {
			require.NotEmpty(t, login.Name, name)
			require.NotEmpty(t, login.Secret.Path, name)
		}
	}
}

func TestACampaignWithAValueInEveryFieldSurvivesJSON(t *testing.T) {
	var want Campaign
	n := 0
	fill(reflect.ValueOf(&want).Elem(), &n)
	want.Systems = Systems{}
	for name, s := range filledSettings(t) {
		want.Systems[name] = s
	}
	// These two mean something where the file lies, and nothing elsewhere.
	want.LedgerDir, want.Watch = "", nil // of this machine alone
	for i := range want.Sources {
		want.Sources[i].Line = 0
	}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	var got Campaign
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, want, got)
}
