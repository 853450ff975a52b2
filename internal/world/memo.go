package world

import (
	"context"
	"sync"
)

// memo asks the outside once and remembers the answer, an error too, until it
// is told to forget. Layers that are inspected side by side share the answer.
type memo[T any] struct {
	mu    sync.Mutex
	asked bool
	value T
	err   error
}

func (m *memo[T]) get(ctx context.Context, ask func() (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked {
		return m.value, m.err
	}
	value, err := ask()
	if ctx.Err() != nil {
		// What an interrupted question answered is not worth remembering.
		return value, err
	}
	m.value, m.err, m.asked = value, err, true
	return value, err
}

func (m *memo[T]) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var zero T
	m.value, m.err, m.asked = zero, nil, false
}

// byKey is a memo for each key.
type byKey[T any] struct {
	mu   sync.Mutex
	each map[string]*memo[T]
}

func (b *byKey[T]) get(ctx context.Context, key string, ask func() (T, error)) (T, error) {
	b.mu.Lock()
	if b.each == nil {
		b.each = map[string]*memo[T]{}
	}
	m, ok := b.each[key]
	if !ok {
		m = &memo[T]{}
		b.each[key] = m
	}
	b.mu.Unlock()
	return m.get(ctx, ask)
}

func (b *byKey[T]) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.each = nil
}
