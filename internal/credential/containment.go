package credential

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

// How a device was contained.
type How string

// Ways to contain a device. Whichever it was, nothing may answer at its
// addresses any more.
const (
	Replaced How = "replaced" // another machine does its work, at other addresses
	Isolated How = "isolated" // it runs, and the network lets nothing to it or from it
	Off      How = "off"      // it has no power
)

// Hows are all of them, in the order in which messages name them.
func Hows() []string { return []string{string(Replaced), string(Isolated), string(Off)} }

// Containment is what is known of a device's containment when the roll is
// listed. It travels with the roll.
type Containment struct {
	How  How       `json:"how,omitempty"` // empty: nobody says that it is contained
	At   time.Time `json:"at,omitzero"`
	By   string    `json:"by,omitempty"` // who says so; empty is whoever started the campaign
	Note string    `json:"note,omitempty"`

	// Named are its addresses as the campaign file has them, Addresses those
	// that were asked, at Ports.
	Named     []string `json:"named,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Ports     []int    `json:"ports,omitempty"`
	// Names of the device that have an address by now, and Unknown those that
	// have none.
	Names   []string `json:"names,omitempty"`
	Unknown []string `json:"unknown,omitempty"`
	// Moved are addresses of its names that another machine has by now, as
	// people say, and that were not asked.
	Moved   []string  `json:"moved,omitempty"`
	AskedAt time.Time `json:"asked_at,omitzero"`
	// Answers are the places where it answered, each with what it did.
	Answers []string `json:"answers,omitempty"`
	// Against is what else keeps it from counting as contained.
	Against []string `json:"against,omitempty"`
	// Others are hosts of other devices, each with its device, that were in
	// foreign hands too: their newest campaigns say so.
	Others map[string]string `json:"others,omitempty"`

	// Override is why a person went on all the same, and OverrideBy who.
	Override   string `json:"override,omitempty"`
	OverrideBy string `json:"override_by,omitempty"`
}

// Holds reports whether the device is contained as far as anybody can tell.
func (c *Containment) Holds() bool {
	return c != nil && c.How != "" && len(c.Answers) == 0 && len(c.Against) == 0
}

// Hosts are the names and addresses at which the device is, or was.
func (c *Containment) Hosts() []string {
	if c == nil {
		return nil
	}
	out := slices.Concat(c.Named, c.Names, c.Addresses)
	slices.Sort(out)
	return slices.Compact(out)
}

// Taken are the hosts of this device and of others that were in foreign hands:
// nothing is shown a new value there.
func (c *Containment) Taken() []string {
	if c == nil {
		return nil
	}
	return slices.Concat(c.Hosts(), slices.Sorted(maps.Keys(c.Others)))
}

// Whose says whose a host is, for people; "" where it is of no device that was
// in foreign hands.
func (c *Containment) Whose(host string) string {
	switch {
	case c == nil || host == "":
		return ""
	case slices.Contains(c.Hosts(), host):
		return "an address of the device"
	case c.Others[host] != "":
		return fmt.Sprintf("an address of %s, which was in foreign hands too (its newest campaign says so; where another machine is there by now: %s)", c.Others[host], paste.Entry("accept", "device", c.Others[host], "problem", string(PointsAtDevice)))
	}
	return ""
}

// Watched reports whether the device is asked while the campaign runs: it was
// asked, and was silent. A person who went on because of something else, or to
// be sure, has not said that it may answer.
func (c *Containment) Watched() bool {
	return c != nil && len(c.Addresses) > 0 && !c.AskedAt.IsZero() && len(c.Answers) == 0
}

// NobodySays is what is wrong where no statement is.
const NobodySays = "nobody says that the device is contained"

// Words say it for people: the statement, what became of asking, what else
// speaks against it, and who went on all the same.
func (c *Containment) Words() []string { return c.WordsIn(time.UTC) }

// WordsIn is Words with times in a zone.
func (c *Containment) WordsIn(zone *time.Location) []string {
	said := NobodySays
	if c.How != "" {
		said = fmt.Sprintf("the device is contained (%s) since %s", c.How, c.At.In(zone).Format(time.RFC3339))
		if c.By != "" {
			said += ", says " + c.By
		}
		if c.Note != "" {
			said += ": " + c.Note
		}
	}
	out := []string{said}
	switch {
	case len(c.Answers) > 0:
		out = append(out, "it ANSWERS: "+strings.Join(c.Answers, ", "))
	case !c.AskedAt.IsZero():
		out = append(out, fmt.Sprintf("%s at %s: no answer", plural.Count(len(c.Addresses), "address", "addresses"), plural.Count(len(c.Ports), "port", "ports")))
	case len(c.Named) == 0:
		out = append(out, "the campaign file names no address of it (containment.addresses), so it was not asked")
	}
	if len(c.Unknown) > 0 {
		out = append(out, "its name "+strings.Join(c.Unknown, ", ")+" has no address here, so none was asked for it")
	}
	if len(c.Moved) > 0 {
		out = append(out, "its name leads to "+strings.Join(c.Moved, ", ")+" by now, which is another machine's and was not asked")
	}
	out = append(out, c.Against...)
	if c.Override != "" {
		out = append(out, fmt.Sprintf("%s went on all the same: %s", c.OverrideBy, c.Override))
	}
	return out
}
