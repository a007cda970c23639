# The mechanics behind the servo output, from the controller's own components; the numbers are those of [PLANT].
#
#   command - PID with feed forward - velocity loop (first order) - motor position
#   motor - encoder (whole counts) - feedback, one cycle later
#   motor + screw error - lost motion - structural mode + drift + vibration = TOOL (with [VOLUME]: along its axis; volume.tcl adds what couples them)
#
# The controller never sees TOOL; it is what a laser would measure. Every value of the INI file is a list of its occurrences.

proc plant {name} { return [lindex $::PLANT($name) 0] }
proc each {prefix} { set all {}; foreach a $::axes { lappend all $prefix-$a }; return [join $all ,] }
set axes [plant AXES]
set points {}
foreach a $axes { lappend points [llength [plant AT_[string toupper $a]]] }
# What couples the axes, where there is a [VOLUME]. A component is loaded once, with all its names.
set curves {}; set counts {}; set multipliers {}; set sums {}
if {[info exists ::VOLUME]} { source volume.tcl }
set period [expr {[lindex $::EMCMOT(SERVO_PERIOD) 0] * 1e-9}]

loadrt {*}[lindex $::KINS(KINEMATICS) 0]
loadrt [lindex $::EMCMOT(EMCMOT) 0] servo_period_nsec=[lindex $::EMCMOT(SERVO_PERIOD) 0] num_joints=[lindex $::KINS(JOINTS) 0]
loadrt pid names=[each servo]
loadrt lowpass names=[each speed]
loadrt integ names=[each motor]
loadrt scale names=[each counts],[each length]
loadrt conv_float_s32 names=[each whole]
loadrt conv_s32_float names=[each count]
loadrt lincurve names=[join [concat [each screw] [each wider] $curves] ,] personality=[join [concat $points $points $counts] ,]
loadrt sum2 names=[join [concat [each nut] [each low] [each high] [each side] [each table] [each floor] [each tip] $sums] ,]
loadrt limit1 names=[each play]
loadrt mult2 names=[join [concat [each lost] $multipliers] ,]
loadrt biquad names=[each mode]
loadrt siggen names=[each drift],[each vibration]
loadrt timedelay names=settle,window
loadrt and2 names=estop

set order {motion-command-handler motion-controller}
set joint 0
foreach a $axes {
    set A [string toupper $a]
    foreach block {servo.do-pid-calcs speed motor counts whole count length screw wider nut low high play side lost table mode drift.update vibration.update floor tip} {
        set parts [split $block .]
        lappend order [join [concat [lindex $parts 0]-$a [lrange $parts 1 end]] .]
    }

    # The position loop and the motor. Feed forward of the acceleration makes up for the velocity loop: no overshoot at a target.
    setp servo-$a.Pgain [plant GAIN_$A]
    setp servo-$a.FF1 [plant FEED_FORWARD_$A]
    setp servo-$a.FF2 [expr {1.0 / (6.283185307179586 * [plant VELOCITY_LOOP_HZ])}]
    setp servo-$a.maxoutput 1000
    setp speed-$a.gain [expr {1 - exp(-6.283185307179586 * [plant VELOCITY_LOOP_HZ] * $period)}]
    net enabled-$a joint.$joint.amp-enable-out => servo-$a.enable
    net command-$a joint.$joint.motor-pos-cmd => servo-$a.command
    net wanted-$a servo-$a.output => speed-$a.in
    net speed-$a speed-$a.out => motor-$a.in
    net motor-$a motor-$a.out => screw-$a.in wider-$a.in nut-$a.in0 counts-$a.in

    # The encoder counts whole steps. The conversion cuts towards zero: a large offset keeps it one-sided, a half more makes it round.
    setp counts-$a.gain [expr {1.0 / [plant ENCODER_$A]}]
    setp counts-$a.offset 1000000000.5
    setp length-$a.gain [plant ENCODER_$A]
    setp length-$a.offset [expr {-1e9 * [plant ENCODER_$A]}]
    net steps-$a counts-$a.out => whole-$a.in
    net whole-$a whole-$a.out => count-$a.in
    net count-$a count-$a.out => length-$a.in
    net feedback-$a length-$a.out => servo-$a.feedback joint.$joint.motor-pos-fb

    set k 0
    foreach at [plant AT_$A] screw [plant SCREW_$A] wider [plant WIDER_$A] {
        set kk [format %02d $k]
        setp screw-$a.x-val-$kk $at
        setp screw-$a.y-val-$kk $screw
        setp wider-$a.x-val-$kk $at
        setp wider-$a.y-val-$kk $wider
        incr k
    }

    # Play: the table stays where it is until the nut pushes it from one side or the other.
    set half [expr {[plant LOST_$A] / 2.0}]
    net error-$a screw-$a.out => nut-$a.in1
    net nut-$a nut-$a.out => low-$a.in0 high-$a.in0 side-$a.in0
    setp low-$a.offset [expr {-$half}]
    setp high-$a.offset $half
    net low-$a low-$a.out => play-$a.min
    net high-$a high-$a.out => play-$a.max
    net pushed-$a play-$a.out => play-$a.in side-$a.in1 table-$a.in0
    # Which side pushes: +1 upwards, -1 downwards; where the play is wider than at its narrowest, the table lags by that much more.
    setp side-$a.gain0 [expr {1.0 / $half}]
    setp side-$a.gain1 [expr {-1.0 / $half}]
    net side-$a side-$a.out => lost-$a.in0
    net wider-$a wider-$a.out => lost-$a.in1
    setp table-$a.gain1 -1
    net lost-$a lost-$a.out => table-$a.in1

    setp mode-$a.type 1
    setp mode-$a.f0 [plant MODE_HZ_$A]
    setp mode-$a.Q [plant MODE_Q_$A]
    setp mode-$a.enable 1
    net table-$a table-$a.out => mode-$a.in
    setp drift-$a.amplitude [plant DRIFT_$A]
    setp drift-$a.frequency [plant DRIFT_HZ_$A]
    setp vibration-$a.amplitude [plant VIBRATION_$A]
    setp vibration-$a.frequency [plant VIBRATION_HZ_$A]
    net drift-$a drift-$a.sine => floor-$a.in0
    net vibration-$a vibration-$a.sine => floor-$a.in1
    net floor-$a floor-$a.out => tip-$a.in1
    net moved-$a mode-$a.out => tip-$a.in0
    net [expr {[info exists ::VOLUME] ? "along" : "tool"}]-$a tip-$a.out
    incr joint
}

# The handshake of a measuring program, timed in servo cycles (G4 is timed on the wall clock, and may shrink to nothing):
#   M66 P0 L3 Qn  wait until the axes have settled      M64 P0, M66 P1 L3 Qn, M65 P0  hold output 0 for the measuring window
setp settle.on-delay [plant SETTLE_S]
setp settle.off-delay 0
setp window.on-delay [plant WINDOW_S]
setp window.off-delay 0
net in-position motion.in-position => settle.in
net trigger motion.digital-out-00 => window.in
net settled settle.out => motion.digital-in-00
net measured window.out => motion.digital-in-01
foreach function [concat $order settle window estop] { addf $function servo-thread }
if {[info exists ::VOLUME]} { couple_axes }

# The emergency stop's button: setp estop.in1 0
setp estop.in1 1
net estop-chain iocontrol.0.user-enable-out => estop.in0
net estop-closed estop.out => iocontrol.0.emc-enable-in
net tool-prepare iocontrol.0.tool-prepare => iocontrol.0.tool-prepared
net tool-change iocontrol.0.tool-change => iocontrol.0.tool-changed
