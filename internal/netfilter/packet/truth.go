package packet

// Truth is whether a condition holds. The minimum of several is their conjunction.
type Truth int

// The values. Maybe means that it depends on facts that are not known.
const (
	No Truth = iota
	Maybe
	Yes
)

// Sure returns Yes or No.
func Sure(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Not returns the opposite: Yes for No, Maybe for Maybe.
func (t Truth) Not() Truth { return Yes - t }

// Bits is a mark of which only the bits in Known are known.
type Bits struct{ Value, Known uint32 }

// NoMark is the mark of a packet that no rule has marked.
var NoMark = Bits{Known: ^uint32(0)}

// Matches returns whether the mark equals value in the bits of mask.
func (b Bits) Matches(value, mask uint32) Truth {
	if (b.Value^value)&mask&b.Known != 0 || value&^mask != 0 {
		return No
	}
	return max(Maybe, Sure(mask&^b.Known == 0))
}

// Set returns the mark after iptables' --set-xmark: it clears the bits of mask and flips those of value.
func (b Bits) Set(value, mask uint32) Bits {
	return Bits{Value: b.Value&^mask ^ value, Known: b.Known | mask}
}
