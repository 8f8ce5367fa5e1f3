package credential

import "fmt"

// UnfitDoor is a door that is not what the campaign file says, or at which a
// login proves nothing.
type UnfitDoor struct {
	Door  string `json:"door"`
	Line  int    `json:"line,omitempty"` // of the campaign file
	Place string `json:"place"`
	Fault string `json:"fault"` // door.Fault
	Why   string `json:"why"`   // what was seen
	Do    string `json:"do"`

	// Override is why a person went on all the same, and OverrideBy who.
	Override   string `json:"override,omitempty"`
	OverrideBy string `json:"override_by,omitempty"`
}

// Text says it in a line.
func (u UnfitDoor) Text() string {
	where := u.Place
	if u.Line > 0 {
		where = fmt.Sprintf("line %d of the campaign file, %s", u.Line, u.Place)
	}
	return fmt.Sprintf("door %s (%s): %s; %s", u.Door, where, u.Why, u.Do)
}
