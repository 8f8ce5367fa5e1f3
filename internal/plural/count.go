// Package plural has the words that go with a number in messages.
package plural

import "fmt"

// whole is what things are counted with.
type whole interface{ ~int | ~int64 | ~uint64 }

// Count is a number of things in words, with whatever else of the sentence
// changes with it: "1 account has", "2 accounts have".
func Count[N whole](n N, one, many string) string {
	return fmt.Sprintf("%d %s", n, Pick(n, one, many))
}

// Pick is the words that go with a number which stands elsewhere.
func Pick[N whole](n N, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
