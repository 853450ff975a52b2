// Package memo remembers what a question answered, so that callers who work side by
// side share one answer.
package memo

import (
	"context"
	"sync"
)

// Of asks a question once and remembers the answer, an error too, until Forget. The
// zero value is ready for use.
type Of[T any] struct {
	mu    sync.Mutex
	asked bool
	value T
	err   error
}

// Get returns the answer that is remembered, or asks. Who asks first waits for the
// answer, and all others wait with them.
func (m *Of[T]) Get(ctx context.Context, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked {
		return m.value, m.err
	}
	value, err := ask()
	if ctx.Err() != nil {
		// The answer to an interrupted question is not worth remembering.
		return value, err
	}
	m.value, m.err, m.asked = value, err, true
	return value, err
}

// Peek returns what is remembered without asking. It waits for a question that is
// being asked.
func (m *Of[T]) Peek() (value T, asked bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.value, m.asked
}

// Forget drops the answer: the next Get asks again.
func (m *Of[T]) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var zero T
	m.value, m.err, m.asked = zero, nil, false
}

// ByKey is an Of for each key. The zero value is ready for use.
type ByKey[K comparable, T any] struct {
	mu   sync.Mutex
	each map[K]*Of[T]
}

// Get returns the answer that is remembered for the key, or asks. Questions of
// different keys do not wait for each other.
func (b *ByKey[K, T]) Get(ctx context.Context, key K, ask func() (T, error)) (T, error) {
	return b.of(key).Get(ctx, ask)
}

func (b *ByKey[K, T]) of(key K) *Of[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.each == nil {
		b.each = map[K]*Of[T]{}
	}
	m, ok := b.each[key]
	if !ok {
		m = &Of[T]{}
		b.each[key] = m
	}
	return m
}

// Forget drops the answers of all keys.
func (b *ByKey[K, T]) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.each = nil
}
