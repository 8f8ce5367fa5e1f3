package credential

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPartsAreWhatWasPutTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.String(), 1, 4).Draw(t, "parts")
		var parts []Secret
		for _, x := range texts {
			parts = append(parts, NewSecret(x))
		}
		got, ok := NewParts(parts...).Parts()
		require.True(t, ok)
		require.Equal(t, parts, got)
		require.Equal(t, "[redacted]", NewParts(parts...).String())
	})
	for _, plain := range []string{"", "hunter2", `["a"]`, partsPrefix, partsPrefix + "x"} {
		_, ok := NewSecret(plain).Parts()
		require.False(t, ok, plain)
	}
}

func TestAReferenceNamesAFieldForEachPart(t *testing.T) {
	one, three := LDAPPassword.Traits(), Traits{Kind: "certificate", Field: "certificate", More: []string{"private_key", "ca_chain"}}
	got, err := one.FieldsOf("a,b")
	require.NoError(t, err)
	require.Equal(t, []string{"a,b"}, Path{Field: got}.Fields(), "a field may have a comma in it")
	require.Equal(t, "password", one.Fields())
	got, err = three.FieldsOf("crt,key,chain")
	require.NoError(t, err)
	p := Path{Mount: "kv", Path: "web", Field: got}
	require.Equal(t, []string{"crt", "key", "chain"}, p.Fields())
	require.Equal(t, "kv/web#crt,key,chain", p.String())
	_, err = three.FieldsOf("crt")
	require.EqualError(t, err, "certificate has 3 parts: name a field for each, in this order: #certificate,private_key,ca_chain")
}

// Package fmt calls no method of what stands in an unexported field.
func TestASecretInAnUnexportedFieldIsNotPrinted(t *testing.T) {
	type inner struct{ value Secret }
	type outer struct {
		inner  inner
		values []Secret
		named  map[string]Secret
	}
	value := NewSecret("PLANTED-secret")
	held := outer{inner{value}, []Secret{value}, map[string]Secret{"a": NewParts(value, value)}}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(format, held)+fmt.Sprintf(format, &held), "PLANTED")
		require.NotContains(t, fmt.Sprintf(format, held), fmt.Sprintf("%x", "PLANTED"))
	}
	require.Equal(t, value, NewSecret("PLANTED-"+"secret"), "they are compared by their values")
	require.True(t, value == NewSecret("PLANTED-secret"))
	require.Equal(t, Secret{}, NewSecret(""))
	require.Empty(t, Secret{}.Reveal())
}
