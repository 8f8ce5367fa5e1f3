package inventory

import (
	"slices"
	"strings"

	"rollcall/internal/profile"
)

// likeSegment reports whether somebody who wrote one segment of a path may have
// meant another one: it is the same but for case, signs or an s at the end, it
// has a slip or two, or one has all words of the other.
func likeSegment(wrote, there string) bool {
	a, b := wordsOf(wrote), wordsOf(there)
	one, other := strings.Join(a, ""), strings.Join(b, "")
	if one == "" || other == "" { // of letters that wordsOf leaves out
		one, other = strings.ToLower(wrote), strings.ToLower(there)
	}
	if strings.TrimSuffix(one, "s") == strings.TrimSuffix(other, "s") {
		return true
	}
	if slips := profile.Distance(swapped(one, other), other); slips <= mostSlips(min(len(one), len(other))) {
		return true
	}
	return wordsAmong(a, b) || wordsAmong(b, a)
}

// mostSlips is how many letters may differ in a word of so many.
func mostSlips(letters int) int {
	switch {
	case letters < 3:
		return 0
	case letters < 8:
		return 1
	}
	return 2
}

// swapped is one with two neighbouring letters changed over, if that is all
// that makes it differ there from the other.
func swapped(one, other string) string {
	for i := range min(len(one), len(other)) - 1 {
		if one[i] == other[i] {
			continue
		}
		if one[i] == other[i+1] && one[i+1] == other[i] {
			return one[:i] + other[i:i+2] + one[i+2:]
		}
		break
	}
	return one
}

// wordsAmong reports whether all words of a name are among those of another
// one, and one of them says something.
func wordsAmong(few, many []string) bool {
	return len(few) > 0 && slices.ContainsFunc(few, func(w string) bool { return len(w) >= 3 }) &&
		!slices.ContainsFunc(few, func(w string) bool { return !slices.Contains(many, w) })
}
