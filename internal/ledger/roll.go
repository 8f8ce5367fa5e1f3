package ledger

import (
	"encoding/binary"
	"hash/maphash"
	"iter"
	"slices"

	"rollcall/internal/credential"
)

// roll holds the credentials of a large campaign packed, but for those of which
// the ledger told last: a batch is announced, set and proved within few
// thousand entries.
type roll struct {
	packer *packer
	where  idTable            // by id, into packed, counted from 1
	packed []string           // in the order of listing; empty where it is loose, or came off the roll
	loose  []*CredentialState // beside packed; nil where that has it
	last   []int32            // loose, the one that was asked for first before all
	off    map[int32]bool
	again  *CredentialState // the one that was asked for last: mostly it is again
	most   int              // that are loose
	seeds  [2]maphash.Seed
}

// mostLoose are as many as a dozen batches have.
const mostLoose = 1 << 10

// NewPackedState is NewState for who reads the ledger of a large campaign: it
// is the same, takes a tenth of the memory, and leaves Credentials empty. All
// has the credentials, each of them anew whenever it is called.
func NewPackedState() *State {
	s := NewState()
	s.roll = &roll{packer: newPacker(), off: map[int32]bool{}, most: mostLoose, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	return s
}

// key is as good as keyOf within this process, and costs a tenth: nobody can
// choose two ids that collide under seeds that he does not know.
func (r *roll) key(id string) (k idKey) {
	binary.LittleEndian.PutUint64(k[:8], r.half(id))
	binary.LittleEndian.PutUint64(k[8:], maphash.String(r.seeds[1], id))
	return k
}

// half is the first half of a key.
func (r *roll) half(id string) uint64 { return maphash.String(r.seeds[0], id) }

// get is the credential with that id, to be read and changed until the next is
// asked for; nil if it is not on the roll.
func (r *roll) get(id string) *CredentialState {
	if r.again != nil && r.again.ID == id {
		return r.again
	}
	n, ok := r.where.get(r.key(id))
	if !ok {
		return nil
	}
	at := n - 1
	if c := r.loose[at]; c != nil {
		r.again = c
		return c
	}
	c := r.packer.unpack(r.packed[at])
	r.take(at, c)
	return c
}

// add puts a credential at the end of the roll.
func (r *roll) add(c *CredentialState) {
	at := int32(len(r.packed))
	r.where.put(r.key(c.ID), at+1)
	r.packed, r.loose = append(r.packed, ""), append(r.loose, nil)
	r.take(at, c)
}

// take has a credential loose, and packs the one that was longest. One that
// cannot be packed stays loose for good.
func (r *roll) take(at int32, c *CredentialState) {
	r.packed[at], r.loose[at], r.again = "", c, c
	r.last = append(r.last, at)
	for len(r.last) > r.most {
		first := r.last[0]
		r.last = r.last[1:]
		if old := r.loose[first]; old != nil {
			if text, ok := r.packer.pack(old); ok {
				r.packed[first] = text
				r.loose[first] = nil
			}
		}
	}
}

// remove takes a credential off the roll. The others keep their places.
func (r *roll) remove(id string) {
	k := r.key(id)
	n, ok := r.where.get(k)
	if !ok {
		return
	}
	at := n - 1
	r.where.drop(k)
	r.packed[at], r.loose[at], r.off[at], r.again = "", nil, true, nil
}

// All are the credentials in the order of listing, each as it stands.
func (s *State) All() iter.Seq[*CredentialState] {
	return s.some(func(Outcome, credential.Kind) bool { return true })
}

// NotDead are those of All that are not dead.
func (s *State) NotDead() iter.Seq[*CredentialState] {
	return s.some(func(is Outcome, _ credential.Kind) bool { return is != Dead })
}

// some are those of All that are wanted; the others stay packed.
func (s *State) some(want func(Outcome, credential.Kind) bool) iter.Seq[*CredentialState] {
	return func(yield func(*CredentialState) bool) {
		for _, c := range s.Credentials {
			if want(c.Outcome, c.Kind) && !yield(c) {
				return
			}
		}
		if s.roll == nil {
			return
		}
		for c := range s.roll.some(want) {
			if s.shown != nil {
				c = s.shown(c)
			}
			if !yield(c) {
				return
			}
		}
	}
}

func (r *roll) some(want func(Outcome, credential.Kind) bool) iter.Seq[*CredentialState] {
	return func(yield func(*CredentialState) bool) {
		for at, packed := range r.packed {
			c := r.loose[at]
			switch {
			case r.off[int32(at)]:
				continue
			case c != nil:
				if !want(c.Outcome, c.Kind) {
					continue
				}
			case !want(r.packer.brief(packed)):
				continue
			default:
				c = r.packer.unpack(packed)
			}
			if !yield(c) {
				return
			}
		}
	}
}

// outcomes counts the credentials by how they stand.
func (s *State) outcomes() map[Outcome]int {
	n := map[Outcome]int{}
	for range s.some(func(is Outcome, _ credential.Kind) bool { n[is]++; return false }) {
	}
	return n
}

// Len counts the credentials of the roll, also before it is closed.
func (s *State) Len() int {
	if s.roll != nil {
		return s.roll.where.have
	}
	return len(s.Credentials)
}

// ShownAs is the state with each credential as the function has it, which gives
// a copy of what it changes.
func (s *State) ShownAs(as func(*CredentialState) *CredentialState) *State {
	out := *s
	out.shown, out.Credentials = as, slices.Clone(s.Credentials)
	for i, c := range s.Credentials {
		out.Credentials[i] = as(c)
	}
	return &out
}
