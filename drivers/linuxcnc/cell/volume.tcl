# What couples the axes: 21 geometric errors of the volume, from the controller's own components; the numbers are those of [VOLUME].
# Sourced by rig.tcl, which loads the components by these names and calls couple_axes at its end.
#
#   slide-ia (position of a)  the translation of axis a in i, with what squareness makes of it     turn-ra (position of a)  its rotation about r
#   tool i = along i + sum of slide-ia + sum over [VOLUME] PRODUCTS of sign * turn-ra * position of b
#   turn-r = sum of turn-ra: how the tool is turned against the workpiece, rad

proc volume {name} { return [lindex $::VOLUME($name) 0] }
set products [volume PRODUCTS]
foreach a $axes {
    foreach i $axes { lappend curves slide-$i$a }
    foreach r {a b c} { lappend curves turn-$r$a }
    for {set k 0} {$k < 6} {incr k} { lappend counts [llength [volume AT_[string toupper $a]]] }
}
foreach product $products { lappend multipliers arm-[join [lrange [split $product :] 0 3] -] }

# Every total is a chain of sums of two: {first, name and sign of each that is added, signal of the total}.
set totals {}
foreach i $axes {
    set terms {}
    foreach a $axes { lappend terms slide-$i$a 1 }
    foreach product $products {
        lassign [split $product :] component rotation axis lever sign
        if {$component eq $i} { lappend terms arm-$component-$rotation-$axis-$lever $sign }
    }
    lappend totals [list along-$i $terms tool-$i]
}
foreach r {a b c} { lappend totals [list turned-${r}[lindex $axes 0] [list turned-${r}[lindex $axes 1] 1 turned-${r}[lindex $axes 2] 1] turn-$r] }
foreach total $totals {
    for {set k 0} {$k < [llength [lindex $total 1]] / 2} {incr k} { lappend sums add-[lindex $total 2]-$k }
}

proc couple_axes {} {
    global products curves totals
    foreach curve $curves {
        set a [string index $curve end]
        set k 0
        foreach at [volume AT_[string toupper $a]] value [volume [string toupper [string map {- _} $curve]]] {
            set kk [format %02d $k]
            setp $curve.x-val-$kk $at
            setp $curve.y-val-$kk $value
            incr k
        }
        net motor-$a => $curve.in
        # Signals: slide-ia as the curve; of a turn "turned-ra", for turn-r is the total.
        net [string map {turn turned} $curve] $curve.out
        addf $curve servo-thread
    }
    foreach product $products {
        lassign [split $product :] component rotation axis lever sign
        set arm arm-$component-$rotation-$axis-$lever
        net turned-$rotation$axis => $arm.in0
        net motor-$lever => $arm.in1
        net $arm $arm.out
        addf $arm servo-thread
    }
    foreach total $totals {
        lassign $total so_far terms name
        set k 0
        foreach {term sign} $terms {
            set sum add-$name-$k
            incr k
            setp $sum.gain1 $sign
            net $so_far => $sum.in0
            net $term => $sum.in1
            set so_far [expr {$k == [llength $terms] / 2 ? $name : "part-$name-$k"}]
            net $so_far $sum.out
            addf $sum servo-thread
        }
    }
}
