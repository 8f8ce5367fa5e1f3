package protocol

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatTwoMarksOfAnAccountTell(t *testing.T) {
	const set, csn = "20261128101055Z", "20261128101055.100000Z#000000#001#000000"
	for _, row := range []struct {
		name, before, after string
		want                Difference
	}{
		{"the same", set + "/" + csn, set + "/" + csn, Unchanged},
		{"set in another second", set + "/" + csn, "20261128101056Z/" + csn, Changed},
		{"an exact one", "0000000002 00000000000000000007", "0000000003 00000000000000000008", Changed},
		{"touched in the second in which it was set", set + "/" + csn, set + "/20261128101055.200000Z#000000#001#000000", Touched},
		{"touched later, and looked at first within the second", set + "/" + csn, set + "/20261128111055.200000Z#000000#001#000000", Touched},
		{"touched, and looked at first when the second was over", set + "/20261128101057.000000Z#000000#001#000000", set + "/20261128111055.200000Z#000000#001#000000", Unchanged},
		{"two changes right behind the turn of a second", set + "/20261128101056.000280Z#000000#001#000000", set + "/20261128101056.001093Z#000000#001#000000", Touched},
		{"no time of the secret is kept", "/" + csn, "/20261128111055.200000Z#000000#001#000000", Touched},
		{"nothing is shown", "/", "/", Touched},
		{"nothing is shown, of an exact one", "", "", Touched},
		{"it is not shown any more", set + "/" + csn, "/", Touched},
		{"an exact one is not shown any more", "0000000002 00000000000000000007", "", Touched},
		{"it was not shown before", "", set + "/" + csn, Touched},
		{"the entry's mark is not shown, which tells two changes in one second", set + "/", set + "/", Touched},
		{"no time of the secret is kept, and nothing was touched", "/" + csn, "/" + csn, Unchanged},
		{"389-ds, whole seconds", set + "/" + set, set + "/20261128101056Z", Touched},
	} {
		t.Run(row.name, func(t *testing.T) { require.Equal(t, row.want, Compare(row.before, row.after)) })
	}
	apart, fine := Between(set+"/"+csn, set+"/20261128101055.250000Z#000000#001#000000")
	require.True(t, fine)
	require.Equal(t, 150*time.Millisecond, apart)
	_, fine = Between(set+"/"+set, set+"/"+set)
	require.False(t, fine)
}

// Of an entry that was touched at another server before a reset had come there.
func TestAServerThatRefusedAChangeIsToldFromOneThatLags(t *testing.T) {
	const before, reset, touched = "20261127101055Z/20261127101055.000000Z#000000#001#000000", "20261128101055Z/20261128101055.100000Z#000000#001#000000", "20261127101055Z/20261128101055.300000Z#000000#002#000000"
	require.True(t, Overruled(touched, reset))
	require.False(t, Overruled(before, reset), "it lags")
	require.False(t, Overruled(touched, "20261128101055Z/20261128101055.400000Z#000000#001#000000"), "it will follow")
	require.False(t, Overruled("20261127101055Z/20261128101056Z", "20261128101055Z/20261128101055Z"), "389-ds merges by attribute")
	require.True(t, Reverted(before, touched))
	require.False(t, Reverted(before, reset))
	require.False(t, Reverted("/20261127101055.000000Z#000000#001#000000", "/20261128101055.300000Z#000000#002#000000"), "without a time of the secret nothing tells")
	require.False(t, Reverted("", reset))
	require.False(t, Reverted("0000000002 00000000000000000007", "0000000001 00000000000000000006"))
}

// A wrong login more where a mark is taken for a time would lock accounts of a
// domain.
func TestAMarkThatBeginsWithAVersionHasNoTime(t *testing.T) {
	require.True(t, Dated("20261128191304Z/20261128191304.123456Z#000000#000#000000"))
	require.True(t, Dated("20261128191304.123456Z/"))
	for _, mark := range []string{"", "/", "0000000005/134087550000000000", "5", "20261128191304Z"} {
		require.False(t, Dated(mark), mark)
	}
}

// An entry that nobody touched after its password was set shows no more than
// the second of that, until somebody's wrong login moves its mark.
func TestASettingOfLongAgoIsTheSameAlthoughWrongLoginsMoveTheMark(t *testing.T) {
	const was, counted, anew = "20261128101055Z/20261128101055.100000Z#000000#000#000000", "20261128101055Z/20261130090000.000000Z#000000#000#000000", "20261130090000Z/20261130090000.000000Z#000000#000#000000"
	set := time.Date(2026, 11, 28, 10, 10, 55, 0, time.UTC)
	require.Equal(t, Touched, Compare(was, counted))
	require.True(t, SetBefore(was, counted, set.Add(time.Minute)))
	require.False(t, SetBefore(was, anew, set.Add(time.Minute)))
	require.False(t, SetBefore(was, counted, set.Add(2*time.Second)), "the second may not have been over")
	require.False(t, SetBefore(was, counted, time.Time{}))
	require.False(t, SetBefore("0000000002 00000000000000000007", "0000000002 00000000000000000008", set))
}
