// Package realvbox holds what is tested against Debian's own VirtualBox: `make realvbox`
// runs it in a chroot, which scripts/realvbox makes. There is no kernel module there, so
// that no VM starts; VBoxManage and VBoxSVC are the real ones.
package realvbox
