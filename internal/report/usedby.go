package report

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// Readers is a group of consumers and the names of what they read.
type Readers struct {
	Consumers []string `json:"consumers"`
	Read      []string `json:"credentials"`
}

// ReadersOf groups what is read by the same consumers, in the order of the
// roll.
func ReadersOf[T any](all iter.Seq[T], of func(T) (name string, usedBy []string)) (out []Readers) {
	at := map[string]int{}
	for c := range all {
		name, usedBy := of(c)
		if len(usedBy) == 0 {
			continue
		}
		key := strings.Join(usedBy, "\x00")
		i, known := at[key]
		if !known {
			i = len(out)
			at[key], out = i, append(out, Readers{Consumers: usedBy})
		}
		out[i].Read = append(out[i].Read, name)
	}
	return out
}

// Words put them in a line: as many names as a reader takes in.
func (r Readers) Words() string {
	const some = 5
	what := strings.Join(r.Read[:min(some, len(r.Read))], "; ")
	if more := len(r.Read) - some; more > 0 {
		what += fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(r.Consumers, ", ") + ": " + what
}

// usedByText says who has to read new values.
func usedByText(b *strings.Builder, s *ledger.State, width int) {
	readers := ReadersOf(s.All(), func(c *ledger.CredentialState) (string, []string) { return c.Name, c.UsedBy })
	if len(readers) == 0 {
		return
	}
	b.WriteString("\nWho reads the new values\n")
	for _, r := range readers[:min(named, len(readers))] {
		b.WriteString(Wrap(Clean(r.Words()), "  ", width))
	}
	more(b, "  ", len(readers))
}

// ReadersOnRoll are those of a roll that was just listed.
func ReadersOnRoll(cs []credential.Credential) []Readers {
	return ReadersOf(slices.Values(cs), func(c credential.Credential) (string, []string) { return c.Name, c.UsedBy })
}
