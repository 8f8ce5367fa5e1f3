package credential

import "time"

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

	// Named are its addresses as the campaign file has them, Addresses those that
	// were asked, at Ports.
	Named     []string  `json:"named,omitempty"`
	Addresses []string  `json:"addresses,omitempty"`
	Ports     []int     `json:"ports,omitempty"`
	AskedAt   time.Time `json:"asked_at,omitzero"`
	// Answers are the places where it answered, each with what it did.
	Answers []string `json:"answers,omitempty"`
	// Against is what else keeps it from counting as contained.
	Against []string `json:"against,omitempty"`

	// Override is why a person went on all the same, and OverrideBy who.
	Override   string `json:"override,omitempty"`
	OverrideBy string `json:"override_by,omitempty"`
}

// Holds reports whether the device is contained as far as anybody can tell.
func (c *Containment) Holds() bool {
	return c != nil && c.How != "" && len(c.Answers) == 0 && len(c.Against) == 0
}
