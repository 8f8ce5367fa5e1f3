package judge

import "rollcall/internal/evidence/event"

// What is kept apart. Who floods a log with tries of one sort, or of one
// credential, fills that room alone: what was let in has one of its own.
const (
	// Groups of one sort, and as many as the roll has credentials besides: of
	// what was let in, and of the rest, which anybody can make.
	maxRoom  = 50_000
	maxTries = 12_500
	// Addresses of one credential: those behind them count together.
	mostLetIn = 2_000
	mostTried = 1_000
)

// room is a sort of what is kept apart.
type room struct {
	roll, letIn, change, indicator bool
}

// ofOne are the addresses of one credential.
type ofOne struct {
	credential int
	letIn      bool
}

// crowd are events from further addresses than are kept apart, of one sort of
// places.
type crowd struct {
	on        bool
	place     place
	indicator bool
	usual     bool // each was a usual place when it was met
}

type rooms struct {
	all       map[room]int
	addresses map[ofOne]int
	roll      int // credentials
}

func newRooms(roll int) rooms {
	return rooms{all: map[room]int{}, addresses: map[ofOne]int{}, roll: roll}
}

// take reports whether there is room for one more.
func (r *rooms) take(k key, indicator bool) bool {
	letIn := k.outcome.Right()
	in, of := room{k.credential >= 0, letIn, k.change != "", indicator}, ofOne{k.credential, letIn}
	room, most := maxTries, mostTried
	if letIn {
		room, most = maxRoom, mostLetIn
	}
	alone := k.credential >= 0 && k.change == "" && !indicator && k.address.IsValid()
	if r.all[in] >= room+r.roll || alone && r.addresses[of] >= most {
		return false
	}
	r.all[in]++
	if alone {
		r.addresses[of]++
	}
	return true
}

// isTally reports whether events can come to no finding, whatever their
// address: a refusal of a value that is not dead, a failure, and a use from
// before the first window, whose place is learned.
func isTally(k key, g *group) bool {
	if k.credential < 0 || k.change != "" || k.value >= 0 || k.perhaps || g.indicator != "" || g.place == device {
		return false
	}
	return k.outcome == event.Failed || k.phase == Before && !k.outcome.NoUse() && g.place == elsewhere || k.outcome == event.Refused && k.phase != Rotated
}

// isOwn reports whether a credential of the roll was shown where it is known
// to be used, which comes to no finding.
func (j *Judge) isOwn(k key, g *group) bool {
	if k.credential < 0 || k.change != "" || k.value >= 0 || k.perhaps || g.indicator != "" || k.stolen || !k.outcome.Right() {
		return false
	}
	return g.place == usual || g.place == elsewhere && j.learned[k.credential].has(k.from, k.outcome)
}
