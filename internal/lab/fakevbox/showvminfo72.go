package fakevbox

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
)

// showReadable72 prints showvminfo --machinereadable as VirtualBox 7.2 does, key by key
// (internal/lab/realvbox compares them).
func (m *manager) showReadable72(w *VirtualBox, vm *VM) {
	p := func(format string, a ...any) { fmt.Fprintf(m.stdout, format+"\n", a...) }
	dir := filepath.Dir(vm.CfgFile)
	p("name=%q\nencryption=\"disabled\"\ngroups=\"/\"\nplatformArchitecture=\"x86\"\nostype=\"Linux 2.6 / 3.x / 4.x / 5.x (64-bit)\"", escaped(vm.Name))
	p("UUID=%q\nCfgFile=%q\nSnapFldr=%q\nLogFldr=%q\nhardwareuuid=%q", raw(vm.UUID), escaped(vm.CfgFile),
		escaped(filepath.Join(dir, "Snapshots")), escaped(filepath.Join(dir, "Logs")), raw(vm.UUID))
	p("memory=%d\npagefusion=\"off\"\nvram=8\ncpuexecutioncap=100\ncpu-profile=\"host\"\nchipset=\"piix3\"\nfirmware=\"BIOS\"\ncpus=%d", vm.Memory, vm.CPUs)
	p("hpet=\"off\"\npae=\"on\"\nlongmode=\"on\"\ntriplefaultreset=\"off\"\napic=\"on\"\nx2apic=\"off\"\nnested-hw-virt=\"off\"\nhwvirtex=\"on\"")
	p("nestedpaging=\"on\"\nlargepages=\"off\"\nvtxvpid=\"on\"\nvtxux=\"on\"\nvirtvmsavevmload=\"on\"\ncpuid-portability-level=0")
	p("bootmenu=\"messageandmenu\"\nboot1=\"floppy\"\nboot2=\"dvd\"\nboot3=\"disk\"\nboot4=\"none\"\nacpi=\"on\"\nioapic=\"on\"\nbiosapic=\"apic\"\nbiossystemtimeoffset=0")
	p("NvramFile=%q\nrtcuseutc=\"off\"\niommu=\"none\"\nparavirtprovider=\"default\"\neffparavirtprovider=\"none\"", escaped(filepath.Join(dir, vm.Name+".nvram")))
	p("VMState=%q\nVMStateChangeTime=%q", raw(vm.State), raw(vm.Changed.UTC().Format("2006-01-02T15:04:05.000000000")))
	p("graphicscontroller=\"vboxvga\"\nmonitorcount=1\naccelerate3d=\"off\"\nteleporterenabled=\"off\"\nteleporterport=0\nteleporteraddress=\"\"\nteleporterpassword=\"\"")
	p("tracing-enabled=\"off\"\ntracing-allow-vm-access=\"off\"\ntracing-config=\"\"\nautostart-enabled=\"off\"\nautostart-delay=0\ndefaultfrontend=\"\"\nvmprocpriority=\"default\"")
	m.storage72(vm)
	for i := range 8 {
		var nic NIC
		if i < len(vm.NICs) {
			nic = vm.NICs[i]
		}
		m.nicInfo(w, i+1, nic)
	}
	p("hidpointing=\"ps2mouse\"\nhidkeyboard=\"ps2kbd\"\nuart1=\"off\"\nuart2=\"off\"\nuart3=\"off\"\nuart4=\"off\"\nlpt1=\"off\"\nlpt2=\"off\"")
	p("audio=\"default\"\naudio_out=\"off\"\naudio_in=\"off\"\nclipboard=\"disabled\"\nclipboard_file_transfers=\"off\"\ndraganddrop=\"disabled\"")
	if vm.live() {
		p("SessionName=\"headless\"\nVideoMode=\"720,400,0\"@0,0 1")
	}
	p("vrde=\"off\"\nusb=\"off\"\nehci=\"off\"\nxhci=\"off\"")
	if vm.live() {
		p("VRDEActiveConnection=\"off\"\nVRDEClients=0")
	}
	p("recording_started=\"off\"\nrecording_enabled=\"off\"\nrecording_screens=1\n rec_screen0\nrec_screen_enabled=\"on\"\nrec_screen_id=0")
	p("rec_screen_video_enabled=\"on\"\nrec_screen_audio_enabled=\"off\"\nrec_screen_dest=\"File\"\nrec_screen_dest_filename=%q", escaped(filepath.Join(dir, vm.Name+"-screen0.webm")))
	p("rec_screen_opts=\"ac_profile=med\"\nrec_screen_video_res_xy=\"1024x768\"\nrec_screen_video_rate_kbps=512\nrec_screen_video_fps=25\nGuestMemoryBalloon=0")
}

// storage72 prints the controller SATA with all its ports.
func (m *manager) storage72(vm *VM) {
	const ports = 30
	p := func(format string, a ...any) { fmt.Fprintf(m.stdout, format+"\n", a...) }
	if !vm.SATA && len(vm.Media) == 0 {
		return
	}
	p("storagecontrollername0=\"SATA\"\nstoragecontrollertype0=\"IntelAhci\"\nstoragecontrollerinstance0=\"0\"")
	p("storagecontrollermaxportcount0=\"%[1]d\"\nstoragecontrollerportcount0=\"%[1]d\"\nstoragecontrollerbootable0=\"on\"", ports)
	for i := range ports {
		slot := fmt.Sprintf("%d-0", i)
		medium := cmp.Or(vm.Media[slot], "none")
		p("\"SATA-%s\"=%q", slot, escaped(medium))
		switch medium {
		case "none":
		case "emptydrive":
			p("\"SATA-IsEjected-%s\"=\"off\"", slot)
		default:
			p("\"SATA-ImageUUID-%s\"=\"%s\"", slot, uuidOf(medium))
		}
	}
}

// escaped is like raw, but puts a backslash before quotation marks and backslashes, as VirtualBox
// does.
type escaped string

func (e escaped) Format(s fmt.State, _ rune) {
	fmt.Fprint(s, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(e))+`"`)
}
