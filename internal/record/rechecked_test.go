package record

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

func TestALookThatDidNotHappenIsAFindingOfItsOwnAndAReplicaThatShowsLessIsAnother(t *testing.T) {
	page := make([]credential.Credential, 9)
	for i := range page {
		page[i] = credential.Credential{ID: "corp/" + string(rune('a'+i)), Name: "uid=" + string(rune('a'+i))}
	}
	in := wire.RecheckedInput{Batch: wire.Batch{Campaign: "c1", Authority: "corp"}, Result: wire.Rechecked{Unseen: []int{1, 2, 3, 4, 5, 6}, Missed: 3}, Number: 7}
	entries := Rechecked(in, page, time.Now())
	require.Len(t, entries, 2)
	require.Equal(t, credential.FindingNotLookedAgain, entries[0].Finding)
	require.False(t, entries[0].Finding.Incomplete())
	require.Contains(t, entries[0].Detail, "3 dead credentials of corp are not shown by a server besides the write server")
	require.Equal(t, credential.FindingUnseenAtEnd, entries[1].Finding)
	require.True(t, entries[1].Finding.Incomplete(), "exit code 2")
	require.Equal(t, "6 credentials of corp that were proved dead could not be looked at again on all their servers and doors, or in Vault, at the end of the campaign, or are not shown by the write server any more, or not when they were changed: uid=b; uid=c; uid=d; uid=e; uid=f and 1 more", entries[1].Detail)
	people := in
	people.Batch.Authority, people.Result = credential.PersonAuthority, wire.Rechecked{Unseen: []int{1, 2}}
	require.Equal(t, "2 credentials that people changed and that were proved dead could not be looked at again at all their doors at the end of the campaign, or Vault does not hold the new value: uid=b; uid=c", Rechecked(people, page, time.Now())[0].Detail)
	require.NotEqual(t, entries[0].ID, entries[1].ID)
	require.Empty(t, Rechecked(wire.RecheckedInput{Batch: in.Batch}, page, time.Now()))
}
