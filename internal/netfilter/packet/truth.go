package packet

// Truth is whether a condition holds.
type Truth int

// Maybe is what cannot be known from the ruleset and the packet alone.
const (
	No Truth = iota
	Maybe
	Yes
)

// Sure is the Truth of what is known.
func Sure(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Not is the opposite.
func (t Truth) Not() Truth { return Yes - t }

// Bits is a mark of which only the bits in Known are known.
type Bits struct{ Value, Known uint32 }

// NoMark is the mark of a packet that no rule has marked.
var NoMark = Bits{Known: ^uint32(0)}

// Matches reports whether the mark is value in the bits of mask.
func (b Bits) Matches(value, mask uint32) Truth {
	if (b.Value^value)&mask&b.Known != 0 || value&^mask != 0 {
		return No
	}
	return max(Maybe, Sure(mask&^b.Known == 0))
}

// Set clears the bits of mask and flips those of value, as MARK's --set-xmark does.
func (b Bits) Set(value, mask uint32) Bits {
	return Bits{Value: b.Value&^mask ^ value, Known: b.Known | mask}
}
