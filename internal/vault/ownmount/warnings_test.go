package ownmount

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// A listing says them again from the last roll, when the right is gone by which
// it would see them itself.
func TestOfManyWarningsThoseThatTheNextListingRepeatsAreKept(t *testing.T) {
	var all []credential.Finding
	for i := range 300 {
		all = append(all, credential.Finding{Code: credential.FindingReader, Detail: fmt.Sprint(i)})
	}
	made := credential.Finding{Code: credential.FindingMade, Detail: "approle/one: it may have made others"}
	all = append(all, made)
	kept := fewWarnings(all)
	require.Len(t, kept, 201)
	require.Contains(t, kept, made)
	require.Equal(t, "and 101 more warnings of the listing: rollcall list shows them", kept[200].Detail)
	require.Equal(t, "0", all[0].Detail, "the roll's own are as they were")
	require.Equal(t, all[:3], fewWarnings(all[:3]))
}
