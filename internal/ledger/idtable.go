package ledger

import "encoding/binary"

// idTable numbers ids by their keys. A key that roll.key made is spread evenly
// already, so it stands where its first bits say, or right behind: one look at
// memory tells, where a map of Go's takes two or three. The zero value is
// empty.
type idTable struct {
	slots []idSlot // a power of two
	used  int      // slots that are not empty, also those of ids that went
	have  int
}

// idSlot is empty where number is 0; its id has gone where that is negative.
type idSlot struct {
	key    idKey
	number int32
}

const gone = -1

// roomFor makes room for so many at least.
func (t *idTable) roomFor(n int) {
	want := max(len(t.slots), 16)
	for !fits(n, want) {
		want *= 2
	}
	old := t.slots
	t.slots, t.used = make([]idSlot, want), 0
	for _, s := range old {
		if s.number > 0 {
			*t.slot(s.key) = s
			t.used++
		}
	}
}

// fits reports whether so many leave enough slots empty.
func fits(n, slots int) bool { return n <= slots/8*5 }

// slot is where the key stands, or would. There is always an empty one.
func (t *idTable) slot(k idKey) *idSlot {
	mask := uint64(len(t.slots) - 1)
	for i := binary.LittleEndian.Uint64(k[:]) & mask; ; i = (i + 1) & mask {
		if s := &t.slots[i]; s.number == 0 || s.key == k {
			return s
		}
	}
}

// get is the number of an id; false where it has none.
func (t *idTable) get(k idKey) (number int32, ok bool) {
	if len(t.slots) == 0 {
		return 0, false
	}
	s := t.slot(k)
	return s.number, s.number > 0
}

// put gives an id a number from 1 on. fresh: it had none.
func (t *idTable) put(k idKey, number int32) (fresh bool) {
	if !fits(t.used+1, len(t.slots)) {
		t.roomFor(2 * (t.have + 1)) // without those that have gone
	}
	s := t.slot(k)
	if s.number == 0 {
		t.used++
	}
	if fresh = s.number <= 0; fresh {
		t.have++
	}
	*s = idSlot{k, number}
	return fresh
}

// drop takes an id's number away.
func (t *idTable) drop(k idKey) {
	if _, has := t.get(k); has {
		t.slot(k).number = gone
		t.have--
	}
}

// idSet tells ids that came before, by half a key each: two different ids that
// have one are taken for the same, in one of many million ledgers. The zero
// value is empty.
type idSet struct {
	halves []uint64 // a power of two; 0 is an empty one
	have   int
}

// roomFor makes room for so many at least.
func (s *idSet) roomFor(n int) {
	want := max(len(s.halves), 16)
	for !fits(n, want) {
		want *= 2
	}
	old := s.halves
	s.halves = make([]uint64, want)
	for _, half := range old {
		if half != 0 {
			*s.place(half) = half
		}
	}
}

func (s *idSet) place(half uint64) *uint64 {
	mask := uint64(len(s.halves) - 1)
	for i := half & mask; ; i = (i + 1) & mask {
		if at := &s.halves[i]; *at == 0 || *at == half {
			return at
		}
	}
}

// add reports whether it never came before.
func (s *idSet) add(half uint64) (fresh bool) {
	if !fits(s.have+1, len(s.halves)) {
		s.roomFor(2 * (s.have + 1))
	}
	half = max(half, 1)
	at := s.place(half)
	if fresh = *at == 0; fresh {
		*at = half
		s.have++
	}
	return fresh
}
